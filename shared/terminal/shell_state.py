"""How a fresh shell takes over the directory and variables of the one before it, on this machine."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from shlex import quote, split

from shared.terminal import declarations, notices
from shared.terminal.channel import Inherited
from shared.terminal.environment import TRACEPARENT
from shared.terminal.keeper.warden import REPORT

POSIX_SHELLS = frozenset({"bash", "sh", "dash", "ash", "ksh", "mksh", "zsh"})
"""Shells that the script below works in; a session with another one runs its commands in the default shell."""

MAX_REPORT = 4 * 1024 * 1024
"""Bytes of a report that are kept; an environment that is larger could not be handed to a process anyway."""

MAX_VARIABLE = 128 * 1024
"""Bytes of a variable that Linux hands to a process, its name and end included."""

MAX_VARIABLES = min(os.sysconf("SC_ARG_MAX"), 4 * 1024 * 1024) // 2
"""Bytes of all variables that are kept: the rest is for the command and for what it gets besides."""

_OWN = "__mcp_gateway_"
_UNTOLD = "untold"
"""In a report ahead of variables that were too many for the process that would have told them: the shell does."""
_PASSING = frozenset({"_", "SHLVL", TRACEPARENT})
_DEFAULT_UMASK = 0o022
"""What the processes that start commands have."""
_KEPT_OPEN = frozenset({"mksh", "zsh"})
"""Shells in which a descriptor that is closed for a command stays closed when the command leaves the shell."""


@dataclass(frozen=True, slots=True)
class ShellState:
    """What `cd`, `export`, `unset` and `umask` change. `notice` says what of it could not be kept."""

    cwd: str
    env: Mapping[str, str]
    umask: int = -1
    notice: str | None = None


def inherited(state: ShellState) -> Inherited:
    """What a command takes over from a state, without the variables that each command has anew."""
    umask = state.umask if state.umask >= 0 else _DEFAULT_UMASK
    kept = {name: value for name, value in state.env.items() if name not in _PASSING and name != "PWD"}
    return Inherited(kept, f"{umask:04o}")


def arguments(shell: str, command: str, *, nonce: str, report: str = f"&{REPORT}") -> list[str]:
    """How a shell is called to run the command, and then to report its state to `report`, a target for redirection.

    The command is an argument of its own, so that its lines are counted as its author counts them. The report is made on
    the way out, so that `exit` and `set -e` do not skip it. A command that replaces the shell, or is killed, reports
    nothing. Nor does it have the pipe: it is closed for the command, and for what that starts. The script around it is one
    line, so that `set -v` in the command does not echo it. bash says its variables itself, which saves a process; elsewhere
    they may be too many for one.
    """
    name = os.path.basename(shell)
    variables = "builtin declare -px" if name == "bash" else f"/usr/bin/env -0 || {{ printf {_UNTOLD}; export -p; }}"
    dump = (
        f'{{ [ -n "${{{_OWN}done-}}" ] || {{ set +euxv; printf "%s\\0" {nonce}; umask; printf "\\0"; command pwd; '
        f'printf "\\0"; {variables}; printf "\\0%s" {nonce}; {_OWN}done=1; }} >{report}; }} 2>/dev/null'
    )
    leave = f'{{ {_OWN}status=$?; set +euxv; }} 2>/dev/null; {dump}; exit "${_OWN}status"'
    closed = "" if name in _KEPT_OPEN else f" {REPORT}>&-"
    text = f'trap {quote(dump)} EXIT; {_OWN}command=$1; shift; eval "${_OWN}command"{closed}; {leave}'
    return [shell, "-c", text, name, command]


def parse(report: bytes, nonce: str, before: Mapping[str, str] | None = None) -> ShellState | None:
    """The state in a report, if the report is whole; with the variables of `before` where it could not tell them."""
    begin = report.rfind(nonce.encode() + b"\0")
    end = report.rfind(b"\0" + nonce.encode())
    cut_off = end <= begin and len(report) >= MAX_REPORT
    if begin < 0 or (end <= begin and not cut_off):
        return None
    umask, _, rest = report[begin + len(nonce) + 1 : None if cut_off else end].partition(b"\0")
    cwd, _, told = rest.partition(b"\0")
    try:
        state = ShellState(os.fsdecode(cwd.removesuffix(b"\n")), before or {}, int(umask, 8), notices.UNTOLD)
    except ValueError:
        return None
    variables = None if cut_off else _variables(told)
    if variables is None:
        return state
    env = {name: value for name, value in variables if name not in _PASSING and not name.startswith(_OWN)}
    sizes = {name: len(os.fsencode(name)) + len(os.fsencode(value)) + 2 for name, value in env.items()}
    left_out = declarations.too_large(sizes, each=MAX_VARIABLE, total=MAX_VARIABLES)
    kept = {name: value for name, value in env.items() if name not in left_out}
    return replace(state, env=kept, notice=notices.left_out(left_out) if left_out else None)


def _variables(told: bytes) -> Iterable[tuple[str, str]] | None:
    """Names and values; None where they cannot be read."""
    if told.startswith(b"declare "):
        return declarations.parse(told)
    if not told.startswith(_UNTOLD.encode()):
        return _entries(told)
    try:
        return list(_exported(declarations.statements(told.removeprefix(_UNTOLD.encode())) or {})) or None
    except ValueError:
        return None


def _exported(statements: Mapping[str, bytes]) -> Iterable[tuple[str, str]]:
    """As `export -p` tells them. Raises ValueError."""
    for name, statement in statements.items():
        _, separator, value = split(os.fsdecode(statement))[-1].partition("=")
        if separator:
            yield name, value


def _entries(told: bytes) -> Iterable[tuple[str, str]]:
    """As `env -0` tells them."""
    for entry in told.split(b"\0"):
        name, separator, value = os.fsdecode(entry).partition("=")
        if separator:
            yield name, value
