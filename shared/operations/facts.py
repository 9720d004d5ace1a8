"""The facts that an approval is for: what runs, where, with which variables, programs and input."""

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.domain.targets import LocalTarget, SshLogin, SshTarget
from shared.terminal.environment import DEFAULT_PATH

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.operations.whereabouts import Where
    from shared.terminal.policy.commands import Seen
    from shared.terminal.session import Session


def of_place(gateway: "Gateway", where: "Where", session: "Session | None") -> dict[str, Any]:
    """The host, the shell, the sandbox, and what a command inherits from its session or its saved connection."""
    target = where.target
    local = target if isinstance(target, LocalTarget) else None
    inherited = None if session is None else session.inherited
    saved = target.env if isinstance(target, LocalTarget | SshTarget) else {}
    return {
        "host": _way(target) if isinstance(target, SshTarget) else None,
        "shell": None if local is None else local.shell or gateway.settings.terminal_shell or None,
        "sandbox": None if local is None else gateway.sandbox.kind if local.sandbox else "none",
        "umask": None if inherited is None else inherited.umask or None,
        "variables": dict(saved if inherited is None else inherited.variables),
    }


def programs(seen: "Seen", facts: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """The files that the commands and scripts of a line are on this machine, each with what tells it from another file."""
    from shared.terminal.policy.words import MARKS

    path = {**facts["variables"], **facts["env"]}.get("PATH") or os.environ.get("PATH", DEFAULT_PATH)
    commands = {act.words[0] for act in seen.acts if act.words}
    bases = _bases(seen, facts["cwd"])
    found: dict[str, list[list[Any]]] = {}
    for name in sorted(name for name in {*commands, *seen.scripts} if MARKS.isdisjoint(name)):
        whole = name.replace("~", seen.home, 1) if name.startswith("~/") else name
        places = [os.path.join(base, whole) for base in bases]
        files = set(_on_path(whole, path, bases)) if name in commands else set()
        if name in seen.scripts:
            files |= {place for place in places if os.path.isfile(place)}
        if files:
            found[name] = [[file, *_identity(file)] for file in sorted(files)]
    return found


def _way(target: SshTarget) -> str:
    """The host of a target and the hosts that lead to it, as people write them."""

    def place(login: SshLogin) -> str:
        return f"{login.username}@{login.host}:{login.port}"

    return " via ".join([place(target.login), *map(place, reversed(target.jumps))])


def _bases(seen: "Seen", cwd: str | None) -> list[str]:
    """The directories from which relative paths may be meant, as far as they are known."""
    from shared.terminal.policy.words import MARKS

    known = (cwd or "/", *seen.directories)
    return [base for base in dict.fromkeys(known) if base.startswith("/") and MARKS.isdisjoint(base)]


def _on_path(name: str, path: str, bases: list[str]) -> Iterator[str]:
    for base in bases:
        folders = os.pathsep.join(os.path.join(base, folder) for folder in path.split(os.pathsep))
        file = shutil.which(os.path.join(base, name) if "/" in name else name, path=folders)
        if file is not None:
            yield file


def _identity(file: str) -> tuple[int, ...]:
    """Device, inode, size and time of the last change, which no program can set back."""
    try:
        state = os.stat(file)
    except OSError:
        return ()
    return state.st_dev, state.st_ino, state.st_size, state.st_ctime_ns
