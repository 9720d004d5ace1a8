"""Who is at the other end of a connection on this machine: which user, and whether it is a command that this gateway runs.

The kernel tells each socket's user and number, and which process has which sockets (proc_pid_fd). On Linux only.
"""

import os
import socket
import sys
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

from shared.security.socket_tables import Address, peer_of

Whose = Literal["own", "other", "command", "gone"]

ROOT_UID = 0
"""Nothing is kept from the superuser, who could as well read this process."""

KEEPER = b"shared.terminal.keeper"
"""What the command line of the process above commands has in it."""

WORKER = b"\0--tie\0"
"""What the command line of one of several processes on one port has in it."""


MOST_LATELY = 8


class LocalPeers:
    """Asks the kernel anew each time, and looks first into those processes that were clients lately."""

    def __init__(self, *, uid: int | None = None, proc: Path = Path("/proc")) -> None:
        self._uid = os.getuid() if uid is None else uid
        self._allowed = {ROOT_UID, self._uid}
        self._proc = proc
        self._lately: deque[int] = deque(maxlen=MOST_LATELY)

    def whose(self, client: Address, server: Address) -> Whose:
        """Whose the client's end of a connection to this gateway is."""
        peer = peer_of(client, server, proc=self._proc)
        if peer is None or not peer.inode:
            return "gone"
        if peer.uid not in self._allowed:
            return "other"
        if peer.uid != self._uid:
            return "own"
        keepers = frozenset(self._keepers())
        return "command" if keepers and self._may_be_of_command(peer.inode, keepers) else "own"

    def works(self) -> bool:
        """Whether the kernel tells it here: tried with a connection of our own."""
        if sys.platform != "linux":
            return False
        try:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as client,
            ):
                return self.whose(client.getsockname(), server.getsockname()) == "own"
        except OSError:
            return False

    def _may_be_of_command(self, inode: int, keepers: frozenset[int]) -> bool:
        """Unless a process is seen to have the socket that no keeper is above.

        A command can hide one from its own list of descriptors: in a thread with a list of its own, on the way from one process to
        another, in a call that goes on while the socket is closed. What nobody is seen to have is therefore taken for a command's.
        """
        link = f"socket:[{inode}]"
        holder = next((pid for pid in chain(tuple(self._lately), self._processes()) if self._holds(pid, link)), None)
        if holder is None or self._is_below(holder, keepers):
            return True
        if holder not in self._lately:
            self._lately.append(holder)
        return False

    def _is_below(self, pid: int, keepers: frozenset[int]) -> bool:
        """A process that ends meanwhile counts as a command."""
        while pid and pid not in keepers:
            try:
                pid = int((self._proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                return True
        return pid != 0

    def _processes(self) -> Iterator[int]:
        """Those that began last come first: most clients are not old."""
        yield from sorted((int(name) for name in os.listdir(self._proc) if name.isdecimal()), reverse=True)

    def _keepers(self) -> Iterator[int]:
        for gateway in self._gateways():
            for pid in self._children(gateway):
                if KEEPER in self._command_line(pid):
                    yield pid

    def _gateways(self) -> list[int]:
        """This process, and those that share its port with it."""
        if WORKER in self._command_line(os.getpid()):
            return self._children(os.getppid())
        return [os.getpid()]

    def _holds(self, pid: int, link: str) -> bool:
        """False too of one that has ended, or may not be looked into."""
        folder = self._proc / str(pid) / "fd"
        try:
            names = os.listdir(folder)
        except OSError:
            return False
        return any(_points_to(folder / name, link) for name in names)

    def _children(self, pid: int) -> list[int]:
        found: list[int] = []
        try:
            for thread in (self._proc / str(pid) / "task").iterdir():
                found += map(int, (thread / "children").read_bytes().split())
        except OSError:  # it has ended
            pass
        return found

    def _command_line(self, pid: int) -> bytes:
        try:
            return (self._proc / str(pid) / "cmdline").read_bytes()
        except OSError:
            return b""


def _points_to(descriptor: Path, link: str) -> bool:
    try:
        return os.readlink(descriptor) == link
    except OSError:  # it was closed just now
        return False
