"""The wall that the kernel itself builds around the processes of a view: a control group with `pids.max`.

Where the gateway may make control groups below its own: as root, or with a service manager that has delegated them (systemd's
`Delegate=pids`). Sources: cgroup-v1/pids.rst and cgroup-v2.rst of the kernel.
"""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from shared.domain.terminal import LimitedBy
from shared.terminal.keeper import headcount

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
PREFIX = "mcp-gateway-"
ITSELF = f"{PREFIX}itself"
ROUNDS = 100
PAUSE_SECONDS = 0.01
JOIN = 'echo $$ >"$0" && exec "$@"'


class NoGroup:
    """In place of a control group where there is none."""

    def entering(self) -> Sequence[str]:
        """What a command line begins with that is to run in it."""
        return ()

    def remove(self) -> None:
        """Nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Group:
    """A control group, which whatever is started in it stays in."""

    path: Path

    def entering(self) -> Sequence[str]:
        """What a command line begins with that is to run in it."""
        return "/bin/sh", "-c", JOIN, str(self.path / "cgroup.procs")

    def remove(self) -> None:
        """End what still runs in it, as a command may that has killed all above itself, and remove it; else the next gateway does.

        Waits for what it has ended to leave, which takes a few milliseconds, and a second at most.
        """
        for _ in range(ROUNDS):  # some may start others meanwhile
            with contextlib.suppress(OSError):
                self._end()
            try:
                self.path.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    return
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def _end(self) -> None:
        """Raises OSError."""
        if (at_once := self.path / "cgroup.kill").exists():  # of version 2
            at_once.write_text("1")
            return
        for pid in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class ProcessLimit:
    """How many processes a command may have with all that it starts, where groups can be made, and how many bytes of memory.

    0 is no limit.
    """

    most: int = 0
    groups: Path | None = None
    most_bytes: int = 0

    def by(self, sandbox: str) -> LimitedBy:
        """What is the wall behind the count."""
        if not self.most:
            return "none"
        if self.groups is not None:
            return "cgroup"
        return "rlimit" if sandbox == "bwrap" and os.getuid() != 0 else "count"

    def new_group(self) -> Group | NoGroup:
        """A group for one view. Raises OSError."""
        if self.groups is None or not self.most:
            return NoGroup()
        path = self.groups / f"{PREFIX}{os.getpid()}-{token_hex(4)}"
        path.mkdir()
        (path / "pids.max").write_text(str(headcount.WALL * self.most))
        return Group(path)


def find_limit(most: int, *, root: Path = ROOT, own: Path = OWN) -> ProcessLimit:
    """The limit, with a control group as its wall where one can be made here, tried for real."""
    base = _base(root, own) if most else None
    if base is None:
        return ProcessLimit(most)
    limit = ProcessLimit(most, base)
    try:
        _remove_left_ones(base)
        limit.new_group().remove()
    except OSError:
        return ProcessLimit(most)
    return limit


def _remove_left_ones(base: Path) -> None:
    """Those of gateways that were killed; one that lives may be about to use an empty one."""
    for path in base.glob(f"{PREFIX}[0-9]*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if not os.path.exists(f"/proc/{owner}"):
            Group(path).remove()


def _base(root: Path, own: Path) -> Path | None:
    """The group below which ours are made."""
    try:
        rows = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return None
    unified = [root / path.lstrip("/") for _, controllers, path in rows if not controllers]
    for _, controllers, path in rows:
        if "pids" in controllers.split(","):
            return root / controllers / path.lstrip("/")
    return _delegated(unified[0]) if unified else None


def _delegated(place: Path) -> Path | None:
    """A group of version 2 that hands on the limit to those in it: then it has no processes itself, so this one moves down.

    Not where others are in it as well: it is not ours then.
    """
    if place.name == ITSELF:  # it has moved before
        return place.parent
    try:
        if "pids" in (place / "cgroup.subtree_control").read_text().split():
            return place
        if "pids" not in (place / "cgroup.controllers").read_text().split():
            return None
        if (place / "cgroup.procs").read_text().split() != [str(os.getpid())]:
            return None
        inner = place / ITSELF
        inner.mkdir(exist_ok=True)
        (inner / "cgroup.procs").write_text(str(os.getpid()))
        (place / "cgroup.subtree_control").write_text("+pids")
    except OSError:
        return None
    return place
