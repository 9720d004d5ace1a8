"""What commands on this machine may touch, and the program that a keeper is started with to hold them to it.

Reasons: docs/decisions/sandbox.md.
"""

import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.domain.terminal import SandboxKind

SandboxMode = Literal["auto", "required", "off"]
HOME, HERE = "~", "."
TURNED_OFF = "turned off"
DEFAULT_WRITABLE = (HOME, HERE, tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - allowed, not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where commands may write (`~` is home, `.` the directory that a session was opened in), what in there they may
    only read, which directories and files they never see, and whether they have a network. All else they may read.
    """

    writable: tuple[str, ...] = DEFAULT_WRITABLE
    protected: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What holds the commands: which kind, how it is set up, and a sentence on why it is not a stronger one."""

    kind: SandboxKind = "none"
    rules: Rules = Rules()
    bwrap: str = ""
    strict: bool = False
    detail: str = ""

    def writable(self, home: str, here: str | None) -> tuple[str, ...]:
        """The directories that may be written, for a session that was opened `here`."""
        if self.kind == "none":
            return ()
        meant = (_meant(path, home, here) for path in self.rules.writable)
        return _outermost(os.path.realpath(path) for path in meant if path and os.path.isdir(path))

    def prefix(self, writable: Sequence[str]) -> list[str]:
        """What a keeper's command line begins with."""
        if self.kind != "bwrap":
            return []
        return [self.bwrap, *bwrap_arguments(writable, self.rules)]

    def confinement(self, writable: Sequence[str]) -> dict[str, Any]:
        """What a keeper takes on itself."""
        if self.kind == "bwrap" or (self.kind == "none" and self.rules.network):
            return {}
        files = {"writable": writable, "hidden": _present(self.rules.hidden), "strict": self.strict}
        return {"files": files if self.kind == "landlock" else None, "network": self.rules.network}

    def hidden_directories(self) -> tuple[tuple[int, int] | None, ...]:
        """Which directories now lie where they are hidden, each by device and inode; None for anything else."""
        return () if self.kind == "none" else tuple(_identity(path) for path in self.rules.hidden)

    @property
    def exposed(self) -> tuple[str, ...]:
        """What should be hidden and cannot be, since Landlock hides nothing in a directory that may be written."""
        if self.kind != "landlock" or self.strict:
            return () if self.kind != "none" else _outermost(self.rules.hidden)
        home = os.path.expanduser(HOME)
        bases = self.writable(home, None)
        return tuple(path for path in _outermost(self.rules.hidden) if any(_beneath(path, base) for base in bases))

    @property
    def unprotected(self) -> tuple[str, ...]:
        """What should only be read and can be changed, since Landlock takes nothing back from what it has granted."""
        bases = self.writable(os.path.expanduser(HOME), None) if self.kind == "landlock" else ()
        return tuple(path for path in _present(self.rules.protected) if _within(path, bases))


def bwrap_arguments(writable: Iterable[str], rules: Rules) -> list[str]:
    """A view of this machine that is read-only but for some directories, with processes and devices of its own."""
    bases = tuple(writable)
    protected = [path for path in _present(rules.protected) if _within(path, bases)]
    hidden = _present(rules.hidden)
    arguments = ["--unshare-pid", "--as-pid-1", "--ro-bind", "/", "/"]
    for path in (*bases, *_leading_to((*protected, *hidden), bases)):
        arguments += ["--bind", path, path]
    arguments += ["--dev", "/dev", "--proc", "/proc"]
    for path in protected:
        arguments += ["--ro-bind", path, path]
    for path in hidden:
        over = ["--tmpfs", path, "--remount-ro", path] if os.path.isdir(path) else ["--ro-bind", os.devnull, path]
        arguments += over
    if not rules.network:
        arguments.append("--unshare-net")
    if os.geteuid() == 0:  # whose capabilities bubblewrap leaves, and they undo every mount
        arguments += ["--cap-drop", "ALL"]
    return [*arguments, "--chdir", "/", "--"]


def _meant(path: str, home: str, here: str | None) -> str | None:
    if path == HERE:
        return None if here is None or os.path.realpath(here) == "/" else here  # which is not meant by "here"
    return home + path[1:] if path == HOME or path.startswith(f"{HOME}/") else path


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """In order, without those inside others."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not any(_beneath(path, base) for base in found):
            found.append(path)
    return tuple(found)


def _present(paths: Iterable[str]) -> tuple[str, ...]:
    return _outermost(path for path in paths if os.path.exists(path))


def _leading_to(paths: Iterable[str], bases: Sequence[str]) -> list[str]:
    """The directories between what may be written and these paths, outermost first: a mount point cannot be renamed,
    which would take what is mounted further in to a place where the next view does not look for it.
    """
    found = set()
    for path in paths:
        while _within(path := os.path.dirname(path), bases):
            found.add(path)
    return sorted(found)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def _within(path: str, bases: Iterable[str]) -> bool:
    return any(path != base and _beneath(path, base) for base in bases)


def _beneath(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")
