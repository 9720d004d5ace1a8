"""Finding and ending everything that a command started, also what left its process group.

A member is a process that carries the marker in its environment, is in the session that a root leads, or descends
from such a one. The marker survives `setsid` and double forks, the session survives `env -i`. What escapes is a process
that has dropped the marker *and* left the session *and* whose parents are gone, and one that has become another
user's; only a sandbox with its own process namespace holds those.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import psutil

MARKER = "MCP_GATEWAY_JOB"
"""The environment variable that every process of a session carries: `<session>:<command>`."""

GRACE = 0.4
LIMIT = 5.0
_POLL = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_ENTRY = f"\0{MARKER}=".encode()


@dataclass(frozen=True, slots=True)
class Root:
    """A shell that leads a session of its own, and goes on naming it once it has ended: its number and its age.

    The system gives the number to no other process while the session has one. `created` is in seconds, to be compared
    with others on this machine only.
    """

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Root":
        """The root that has this number now. Raises OSError."""
        try:
            return cls(pid, _look_at(pid).created)
        except (psutil.Error, ValueError) as error:
            raise ProcessLookupError(str(error)) from error


class _Look(NamedTuple):
    parent: int
    session: int
    created: float
    marker: str


async def end(marker: str, *, roots: Collection[Root] = (), first: signal.Signals = signal.SIGTERM) -> bool:
    """End every member: the first signal, a moment to obey it, then SIGKILL until none is left.

    `marker` is a whole value or, ending in a colon, the beginning of one. Says whether all are gone; a process in an
    uninterruptible wait may outlive the limit.
    """
    deadline = time.monotonic() + LIMIT
    members = await asyncio.to_thread(_signal_all, marker, roots, first, signal.SIGCONT)
    grace = time.monotonic() + GRACE
    while members and time.monotonic() < grace:
        await asyncio.sleep(_POLL)
        members = await asyncio.to_thread(_living, members)
    empty_looks = 0  # one look can miss a process that is starting a program, or whose parent has just forked it
    while empty_looks < 2 and time.monotonic() < deadline:
        members = await asyncio.to_thread(_signal_all, marker, roots, signal.SIGKILL)
        empty_looks = 0 if members else empty_looks + 1
        if members:
            await asyncio.sleep(_POLL)
    return empty_looks == 2


def find(marker: str, roots: Collection[Root] = ()) -> list[psutil.Process]:
    """The members that are alive, the roots included. Reads every process: call it in a thread."""
    looks = _looks()
    found = {
        pid
        for pid, look in looks.items()
        if look.marker == marker or (marker.endswith(":") and look.marker.startswith(marker))
    }
    found.update(_in_sessions(looks, roots))
    found |= _descendants(found, {pid: look.parent for pid, look in looks.items()})
    return _living(_identified(found - {os.getpid()}))


def unused(roots: Collection[Root]) -> set[Root]:
    """The roots whose sessions have no process left: to be forgotten, since their numbers may be given out again.

    Reads every process: call it in a thread.
    """
    return set(roots).difference(_in_sessions(_looks(markers=False), roots).values())


def _looks(*, markers: bool = True) -> dict[int, _Look]:
    found: dict[int, _Look] = {}
    for pid in psutil.pids():  # not process_iter, whose cache can hold a process that had the same number before
        try:
            found[pid] = _look_at(pid, marker=markers)
        except (psutil.Error, OSError, ValueError):
            continue
    return found


def _in_sessions(looks: Mapping[int, _Look], roots: Iterable[Root]) -> dict[int, Root]:
    """The processes in the sessions of the roots, but not in that of a later leader that was given the same number."""
    leaders = {root.pid: root for root in roots if root.pid not in looks or looks[root.pid].created == root.created}
    return {
        pid: leaders[look.session]
        for pid, look in looks.items()
        if look.session in leaders and look.created >= leaders[look.session].created
    }


def _look_at(pid: int, *, marker: bool = True) -> _Look:
    return (_look_linux if sys.platform == "linux" else _look)(pid, marker=marker)


def _look(pid: int, *, marker: bool = True) -> _Look:
    """What there is to see of a process."""
    process = psutil.Process(pid)
    look = _Look(process.ppid(), os.getsid(pid), process.create_time(), "")
    if not marker:
        return look
    try:
        return look._replace(marker=process.environ().get(MARKER, ""))
    except (psutil.Error, OSError):
        return look


def _look_linux(pid: int, *, marker: bool = True) -> _Look:
    """The same in a tenth of the time: a machine has many processes, and nearly all of them are not ours."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()  # from the third on; see proc(5)
    look = _Look(int(fields[1]), int(fields[3]), int(fields[19]) / _TICKS, "")
    if not marker:
        return look
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = b"\0" + file.read()
    except OSError:
        return look
    _, _, rest = entries.partition(_ENTRY)
    return look._replace(marker=rest.partition(b"\0")[0].decode(errors="replace"))


def _identified(pids: Iterable[int]) -> Iterable[psutil.Process]:
    for pid in sorted(pids):
        try:
            yield psutil.Process(pid)
        except psutil.Error:
            continue


def _descendants(roots: set[int], parents: Mapping[int, int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = list(roots)
    while pending:
        for child in children.get(pending.pop(), ()):
            if child not in found:
                found.add(child)
                pending.append(child)
    return found


def _living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal_all(marker: str, roots: Collection[Root], *numbers: signal.Signals) -> list[psutil.Process]:
    """Find the members and send them the signals, out of the event loop, which a fork bomb would else hold up."""
    members = find(marker, roots)
    for number in numbers:
        for member in members:
            try:
                member.send_signal(number)
            except psutil.Error:
                continue
    return members
