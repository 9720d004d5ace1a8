"""What the kernel knows of the processes on a pseudo-terminal, asked on our side of it."""

import ctypes
import os

from shared.terminal.keeper import processes


def has_jobs(master: int) -> bool:
    """Whether something beside the shell runs in the shell's session, in front or not. Daemons have left that session."""
    leader, front = _leader(master), os.tcgetpgrp(master)
    if front not in (leader, 0):
        return True
    return leader > 0 and any(_session(pid) == leader for pid in processes.siblings_and_below(leader))


def _leader(master: int) -> int:
    """The process that the terminal belongs to (tcgetsid(3)); 0 once it has ended."""
    return max(0, int(ctypes.CDLL(None).tcgetsid(master)))


def _session(pid: int) -> int | None:
    """Its session (proc_pid_stat(5)); None once it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read(512).rpartition(b") ")[2].split(None, 4)[3])
    except (OSError, ValueError):
        return None
