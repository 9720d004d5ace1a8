"""The environment of child processes: an allow-list, never what the gateway itself was given."""

import os
import pwd
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.domain.trace import CURRENT

ALLOWED = frozenset(
    {"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"}
)
TRACEPARENT = "TRACEPARENT"
SHELLS = Path("/etc/shells")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NON_INTERACTIVE: Mapping[str, str] = {
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "SYSTEMD_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
}
"""So that a command that is run to its end does not wait for a key press."""

INTERACTIVE: Mapping[str, str] = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def child_environment(environ: Mapping[str, str], further: Iterable[str] = ()) -> dict[str, str]:
    """What a child may see of an environment, with what a shell cannot do without."""
    allowed = ALLOWED | set(further)
    kept = {name: value for name, value in environ.items() if name in allowed or name.startswith("LC_")}
    kept.setdefault("PATH", DEFAULT_PATH)
    kept.setdefault("HOME", _home())
    if not any(name in kept for name in ("LANG", "LC_ALL", "LC_CTYPE")):
        kept["LANG"] = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    return kept


def of_trace() -> dict[str, str]:
    """What lets a command go on with the trace of the request that runs it."""
    trace = CURRENT.get()
    return {} if trace is None else {TRACEPARENT: trace.traceparent}


def find_shell(wanted: str, env: Mapping[str, str]) -> str | None:
    """The path of a shell by name or path; of bash, else sh, when none is wanted. None where there is no such one."""
    path = env.get("PATH", DEFAULT_PATH)
    if wanted:
        return shutil.which(os.path.expanduser(wanted), path=path)
    return shutil.which("bash", path=path) or shutil.which("sh", path=path) or "/bin/sh"


def known_shell(wanted: str, configured: str, env: Mapping[str, str]) -> str | None:
    """The path of a shell if the system calls it one, or the gateway's user does; None for any other program."""
    path = find_shell(wanted, env)
    known = {_placed(found) for name in ("bash", "sh", configured) if (found := name and find_shell(name, {}))}
    try:
        known |= {_placed(line.strip()) for line in SHELLS.read_text().splitlines() if line.startswith("/")}
    except OSError:
        pass  # not every system has it
    return path if path is not None and _placed(path) in known else None


def _placed(path: str) -> str:
    """The same in its real directory: a link in place of the program itself may be one to anything."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
