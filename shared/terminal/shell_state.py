"""How a fresh shell takes over the directory and variables of the one before it, on this machine."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import quote

from shared.terminal import declarations
from shared.terminal.environment import TRACEPARENT
from shared.terminal.keeper.warden import REPORT

POSIX_SHELLS = frozenset({"bash", "sh", "dash", "ash", "ksh", "mksh", "zsh"})
"""Shells that the script below works in; a session with another one runs its commands in the default shell."""

MAX_REPORT = 4 * 1024 * 1024
"""Bytes of a report that are kept; an environment that is larger could not be handed to a process anyway."""

_OWN = "__mcp_gateway_"
_PASSING = frozenset({"_", "SHLVL", TRACEPARENT})
_KEPT_OPEN = frozenset({"mksh", "zsh"})
"""Shells in which a descriptor that is closed for a command stays closed when the command leaves the shell."""


@dataclass(frozen=True, slots=True)
class ShellState:
    """What `cd`, `export`, `unset` and `umask` change."""

    cwd: str
    env: Mapping[str, str]
    umask: int = -1


def script(command: str, *, nonce: str, shell: str = "sh", report: str = f"&{REPORT}") -> str:
    """The command, followed by a report of the shell's state to `report`, a target for redirection.

    The report is made on the way out, so that `exit` and `set -e` do not skip it. A command that replaces the shell,
    or is killed, reports nothing. Nor does it have the pipe: it is closed for the command, and for what that starts.
    One line, so that `set -v` in the command does not echo it. bash says its variables itself, which saves a process.
    """
    name = os.path.basename(shell)
    variables = "builtin declare -px" if name == "bash" else "/usr/bin/env -0"
    dump = (
        f'{{ [ -n "${{{_OWN}done-}}" ] || {{ set +euxv; printf "%s\\0" {nonce}; umask; printf "\\0"; command pwd; '
        f'printf "\\0"; {variables}; printf "\\0%s" {nonce}; {_OWN}done=1; }} >{report}; }} 2>/dev/null'
    )
    leave = f"{{ {_OWN}status=$?; set +euxv; }} 2>/dev/null; {dump}; exit ${_OWN}status"
    closed = "" if name in _KEPT_OPEN else f" {REPORT}>&-"
    return f"trap {quote(dump)} EXIT; eval {quote(command)}{closed}; {leave}"


def parse(report: bytes, nonce: str) -> ShellState | None:
    """The state in a report, if the report is whole."""
    begin = report.rfind(nonce.encode() + b"\0")
    end = report.rfind(b"\0" + nonce.encode())
    if begin < 0 or end <= begin:
        return None
    umask, _, rest = report[begin + len(nonce) + 1 : end].partition(b"\0")
    cwd, _, told = rest.partition(b"\0")
    variables = declarations.parse(told) if told.startswith(b"declare ") else _entries(told)
    if variables is None:
        return None
    env = {name: value for name, value in variables if name not in _PASSING and not name.startswith(_OWN)}
    try:
        return ShellState(os.fsdecode(cwd.removesuffix(b"\n")), env, int(umask, 8))
    except ValueError:
        return None


def _entries(told: bytes) -> Iterable[tuple[str, str]]:
    """As `env -0` tells them."""
    for entry in told.split(b"\0"):
        name, separator, value = os.fsdecode(entry).partition("=")
        if separator:
            yield name, value
