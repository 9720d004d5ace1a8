"""Finding and ending everything that a command started, also what left its process group.

A member is a process that descends from the root, or carries the marker in its environment. Both survive `setsid`
and double forks. What escapes is a process that has dropped the marker *and* whose parents are gone (`env -i` in a
double fork), and one that has become another user's; only a sandbox with its own process namespace holds those.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping

import psutil

MARKER = "MCP_GATEWAY_JOB"
"""The environment variable that every process of a session carries: `<session>:<command>`."""

GRACE = 0.4
LIMIT = 5.0
_POLL = 0.02
_ENTRY = f"\0{MARKER}=".encode()


async def end(marker: str, *, root: psutil.Process | None = None, first: signal.Signals = signal.SIGTERM) -> bool:
    """End every member: the first signal, a moment to obey it, then SIGKILL until none is left.

    `marker` is a whole value or, ending in a colon, the beginning of one. Says whether all are gone; a process in an
    uninterruptible wait may outlive the limit.
    """
    deadline = time.monotonic() + LIMIT
    members = await asyncio.to_thread(find, marker, root)
    _signal(members, first)
    _signal(members, signal.SIGCONT)
    grace = time.monotonic() + GRACE
    while members and time.monotonic() < grace:
        await asyncio.sleep(_POLL)
        members = [member for member in members if _alive(member)]
    empty_looks = 0  # one look can miss a process that is starting a program, or whose parent has just forked it
    while empty_looks < 2 and time.monotonic() < deadline:
        members = await asyncio.to_thread(find, marker, root)
        empty_looks = 0 if members else empty_looks + 1
        _signal(members, signal.SIGKILL)
        if members:
            await asyncio.sleep(_POLL)
    return empty_looks == 2


def find(marker: str, root: psutil.Process | None = None) -> list[psutil.Process]:
    """The members that are alive, the root included. Reads every process: call it in a thread."""
    look = _look_linux if sys.platform == "linux" else _look
    parents: dict[int, int] = {}
    found: set[int] = set()
    for pid in psutil.pids():  # not process_iter, whose cache can hold a process that had the same number before
        try:
            parents[pid], value = look(pid)
        except (psutil.Error, OSError, ValueError):
            continue
        if value == marker or (marker.endswith(":") and value.startswith(marker)):
            found.add(pid)
    if root is not None and _alive(root):
        found.add(root.pid)
    found |= _descendants(found, parents)
    return list(_identified(found - {os.getpid()}))


def _look(pid: int) -> tuple[int, str]:
    """A process's parent and its marker."""
    process = psutil.Process(pid)
    parent = process.ppid()
    try:
        return parent, process.environ().get(MARKER, "")
    except (psutil.Error, OSError):
        return parent, ""


def _look_linux(pid: int) -> tuple[int, str]:
    """The same in a tenth of the time: a machine has many processes, and nearly all of them are not ours."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        parent = int(file.read().rpartition(b") ")[2].split(maxsplit=2)[1])
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = b"\0" + file.read()
    except OSError:
        return parent, ""
    _, _, rest = entries.partition(_ENTRY)
    return parent, rest.partition(b"\0")[0].decode(errors="replace")


def _identified(pids: Iterable[int]) -> Iterable[psutil.Process]:
    for pid in sorted(pids):
        try:
            process = psutil.Process(pid)
        except psutil.Error:
            continue
        if _alive(process):
            yield process


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


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(members: Iterable[psutil.Process], number: signal.Signals) -> None:
    for member in members:
        try:
            member.send_signal(number)
        except psutil.Error:
            continue
