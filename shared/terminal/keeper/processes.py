"""Finding and signalling what descends from a process."""

import os
import signal
import sys
from collections.abc import Collection, Iterable

SWEEPS = 50
"""Looks at most for one freeze: what forks faster than that is met again in the next round."""

Table = dict[int, int]


PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, whatever session they are in (prctl(2))."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(wanted: bool) -> None:
    """Whether to be killed when the parent ends (prctl(2))."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL if wanted else 0)


def close_to_others(wanted: bool) -> None:
    """Whether others of the same user are kept from tracing this process and from opening its files (ptrace(2))."""
    _prctl(PR_SET_DUMPABLE, 0 if wanted else 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(*, spared: Collection[int] = ()) -> Table:
    """What descends from this process, each with its parent; but nothing of the spared ones."""
    children: dict[int, list[int]] = {}
    for pid, parent in _table():
        children.setdefault(parent, []).append(pid)
    found: Table = {}
    pending = [os.getpid()]
    while pending:
        parent = pending.pop()
        for pid in children.get(parent, ()):
            if pid not in found and pid not in spared:
                found[pid] = parent
                pending.append(pid)
    return found


def below(root: int) -> list[int]:
    """What descends from a process, itself left out. Only where the system lists children (proc_pid_task(5))."""
    found: list[int] = []
    pending = [root]
    while pending:
        children = _children(pending.pop())
        found += children
        pending += children
    return found


def siblings_and_below(pid: int) -> list[int]:
    """What descends from the parent of a process, the process itself left out; nothing where the system does not tell."""
    try:
        return [found for found in below(_parent(pid)) if found != pid]
    except (OSError, ValueError):
        return []


def sizes_below(roots: Collection[int]) -> dict[int, int]:
    """How many descend from each of these."""
    if os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return {root: len(below(root)) for root in roots}
    parents = dict(_table())
    sizes = dict.fromkeys(roots, 0)
    for pid in parents:
        while (pid := parents.get(pid, 0)) and pid not in sizes:
            continue
        if pid:
            sizes[pid] += 1
    return sizes


def memory_of(pids: Iterable[int]) -> int:
    """Bytes that these processes keep in memory for themselves; what they share with files or by name is not counted."""
    pages = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
                _, resident, shared, *_ = file.read(200).split()
        except (OSError, ValueError):  # it has ended
            continue
        pages += int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")


def signal_all(members: Table, *numbers: int) -> None:
    """Send the signals to those that are still who they were."""
    for pid, parent in members.items():
        _send(pid, parent, members, numbers)


def freeze_and_kill(*, spared: Collection[int] = ()) -> bool:
    """Stop all descendants, then kill them: what is stopped cannot fork away. Whether there were any."""
    frozen: Table = {}
    for _ in range(SWEEPS):
        new = {pid: parent for pid, parent in descendants(spared=spared).items() if pid not in frozen}
        if not new:
            break
        signal_all(new, signal.SIGSTOP)
        frozen.update(new)
    signal_all(frozen, signal.SIGKILL)
    return bool(frozen)


def _send(pid: int, parent: int, members: Table, numbers: Iterable[int]) -> None:
    """By a handle where there is one, since the number may have been given to another process meanwhile."""
    try:
        if sys.platform != "linux":
            for number in numbers:
                os.kill(pid, number)
            return
        handle = os.pidfd_open(pid)
        try:
            now = _parent(pid)
            if now in (parent, os.getpid()) or now in members:
                for number in numbers:
                    signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
    except (OSError, ValueError):  # it has ended, or has become another user's
        return


def _table() -> Iterable[tuple[int, int]]:
    return _table_linux() if os.path.exists("/proc/self/stat") else _table_ps()


def _table_linux() -> Iterable[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                yield int(name), _parent(int(name))
            except (OSError, ValueError):
                continue


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        return int(file.read(512).rpartition(b") ")[2].split(None, 2)[1])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb", buffering=0) as file:
                found += map(int, file.read().split())
    except OSError:  # it has ended
        pass
    return found


def _table_ps() -> Iterable[tuple[int, int]]:
    """Elsewhere orphans become init's; those that stayed in the group of one of ours are still found."""
    import subprocess

    listed = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,pgid="], stdout=subprocess.PIPE, text=True, check=False)
    rows = [[int(field) for field in line.split()] for line in listed.stdout.splitlines()]
    mine = {pid for pid, parent, _ in rows if parent == os.getpid()}
    return [(pid, os.getpid() if parent == 1 and group in mine else parent) for pid, parent, group in rows]
