"""What the kernel knows of the processes on a pseudo-terminal, asked on our side of it."""

import ctypes
import os
import termios

from shared.terminal.keeper import processes

LONGEST_NAME = 15


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


def shell_waits(master: int, shell: str) -> bool:
    """Whether the shell of that name, which the terminal belongs to, is in front and reads what is typed.

    Line editors turn canonical input off while they read, and on for commands. A shell without one sleeps, and has no
    children.
    """
    leader = _leader(master)
    if leader <= 0 or os.tcgetpgrp(master) != leader or _name(leader) not in (shell[:LONGEST_NAME], None):
        return False
    if not termios.tcgetattr(master)[3] & termios.ICANON:
        return True
    return _sleeps(leader) and not processes.siblings_and_below(leader)


def _name(pid: int) -> str | None:
    """The name of its program (proc_pid_comm(5)); None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:
            return file.read(LONGEST_NAME + 1).decode(errors="replace").rstrip("\n")
    except OSError:
        return None


def _sleeps(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read(512).rpartition(b") ")[2].startswith(b"S")
    except OSError:
        return False
