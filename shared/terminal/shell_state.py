"""How a fresh shell takes over the directory and variables of the one before it, on this machine."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from shared.terminal.keeper.warden import INHERITED_REPORT, REPORT

POSIX_SHELLS = frozenset({"bash", "sh", "dash", "ash", "ksh", "mksh", "zsh"})
"""Shells that the script below works in; a session with another one runs its commands in the default shell."""

MAX_REPORT = 4 * 1024 * 1024
"""Bytes of a report that are kept; an environment that is larger could not be handed to a process anyway."""

_OWN = "__mcp_gateway_"
_PASSING = frozenset({"_", "SHLVL"})
_REPORT_PIPE = f'"/proc/$PPID/fd/{REPORT}"' if sys.platform == "linux" else f"&{INHERITED_REPORT}"
"""Opened by way of the parent, so that no child inherits a descriptor for it."""


@dataclass(frozen=True, slots=True)
class ShellState:
    """What `cd`, `export`, `unset` and `umask` change."""

    cwd: str
    env: Mapping[str, str]
    umask: int = -1


def script(command: str, *, nonce: str, report: str = _REPORT_PIPE) -> str:
    """The command, followed by a report of the shell's state to `report`, a target for redirection.

    The report is made on the way out, so that `exit` and `set -e` do not skip it. A command that replaces the shell,
    or is killed, reports nothing. One line, so that `set -v` in the command does not echo it.
    """
    dump = (
        f'{{ [ -n "${{{_OWN}done-}}" ] || {{ set +euxv; printf "%s\\0" {nonce}; umask; printf "\\0"; command pwd; '
        f'printf "\\0"; /usr/bin/env -0; printf "%s" {nonce}; {_OWN}done=1; }} >{report}; }} 2>/dev/null'
    )
    leave = f"{{ {_OWN}status=$?; set +euxv; }} 2>/dev/null; {dump}; exit ${_OWN}status"
    return f"trap {quote(dump)} EXIT; eval {quote(command)}; {leave}"


def parse(report: bytes, nonce: str) -> ShellState | None:
    """The state in a report, if the report is whole."""
    begin = report.rfind(nonce.encode() + b"\0")
    end = report.rfind(b"\0" + nonce.encode())
    if begin < 0 or end <= begin:
        return None
    umask, cwd, *entries = report[begin + len(nonce) + 1 : end].split(b"\0")
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    env = {name: value for name, _, value in pairs if name not in _PASSING and not name.startswith(_OWN)}
    try:
        return ShellState(os.fsdecode(cwd.removesuffix(b"\n")), env, int(umask, 8))
    except ValueError:
        return None
