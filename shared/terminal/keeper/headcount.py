"""How many processes and how much memory commands may have: each with all that it started is counted, and meets a wall.

The count is what tells whose fault it was. It is taken now and then, so that what forks without end can be far over it by then:
the wall (`RLIMIT_NPROC` here, a control group in `process_groups.py`) is what the machine can rely on.
"""

import os
import resource
import signal
from collections.abc import Collection

from shared.terminal.keeper import processes

TICK = 0.05
"""Seconds between two looks, while a command runs."""

WALL = 4
"""So many times what one command may have is what all of a view may have together, threads included."""


LOWEST_MEMORY_WALL = 256 * 1024 * 1024
"""The processes above a command meet the same wall."""


class Headcount:
    """Counts what wardens have below them. A tree cannot have grown by more than there were new numbers since."""

    def __init__(self, most: int, most_bytes: int = 0) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._number = last_number()
        self._largest = 0

    @property
    def tick(self) -> float | None:
        """Seconds between two looks; None when nothing is to be counted."""
        return TICK if self._most or self._most_bytes else None

    def crowded(self, wardens: Collection[int]) -> list[int]:
        """Those below which there are too many."""
        if not self._most or not wardens or not self._may_have_grown():
            return []
        sizes = processes.sizes_below(wardens)
        self._largest = max(sizes.values())
        return [pid for pid, size in sizes.items() if size > self._most]

    def heavy(self, wardens: Collection[int]) -> list[int]:
        """Those below which too much memory is in use. Only where the system lists children."""
        if not self._most_bytes:
            return []
        return [pid for pid in wardens if processes.memory_of(processes.below(pid)) > self._most_bytes]

    def _may_have_grown(self) -> bool:
        number = last_number()
        if number is not None and self._number is not None and 0 <= number - self._number < self._most - self._largest:
            return False
        self._number = number
        return True


def last_number() -> int | None:
    """The process number that was given out last, where the system tells it (proc_loadavg(5))."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:
            return int(file.read(100).split()[4])
    except (OSError, IndexError, ValueError):
        return None


def raise_wall(most: int) -> None:
    """Let the kernel refuse what is far too much, where it counts the processes of this view alone."""
    if most and counts_alone():
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        wall = WALL * most if hard == resource.RLIM_INFINITY else min(hard, WALL * most)
        resource.setrlimit(resource.RLIMIT_NPROC, (wall, wall))


def raise_memory_wall(most_bytes: int) -> None:
    """Let the kernel refuse a single process what is far too much (RLIMIT_DATA, getrlimit(2))."""
    if most_bytes:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wall = max(WALL * most_bytes, LOWEST_MEMORY_WALL)
        if hard == resource.RLIM_INFINITY or wall < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (wall, wall))


def counts_alone() -> bool:
    """Whether this is a user of a namespace of its own, as of Linux 5.14; the limit never holds for root."""
    try:
        with open("/proc/self/uid_map") as file:
            whole = file.read().split() == ["0", "0", "4294967295"]
    except OSError:
        return False
    return not whole and os.getuid() != 0


def end_all_below(warden: int, why: int) -> None:
    """Tell a warden by a signal that it has too much below it, which it ends.

    In a namespace of its own, where this is process 1, everything is stopped at once and they are killed meanwhile: they
    would otherwise go on forking while they are looked for.
    """
    if os.getpid() != 1:
        _signal(warden, why)
        return
    _signal(-1, signal.SIGSTOP)
    for pid in processes.below(warden):
        _signal(pid, signal.SIGKILL)
    _signal(warden, why)
    _signal(-1, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:  # it has ended
        return
