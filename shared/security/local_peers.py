"""Who is at the other end of a connection on this machine: which user, and whether it is a command that this gateway runs.

The kernel tells each socket's user and number, and which process has which sockets (proc_pid_fd). On Linux only.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from shared.security.socket_tables import Address, peer_of

Whose = Literal["own", "other", "command", "gone"]

ROOT_UID = 0
"""Nothing is kept from the superuser, who could as well read this process."""

KEEPER = b"shared.terminal.keeper"
"""What the command line of the process above commands has in it."""

BWRAP = b"bwrap"
WORKER = b"\0--tie\0"
"""What the command line of one of several processes on one port has in it."""


class LocalPeers:
    """Asks the kernel anew each time."""

    def __init__(self, *, uid: int | None = None, proc: Path = Path("/proc")) -> None:
        self._allowed = {ROOT_UID, os.getuid() if uid is None else uid}
        self._proc = proc

    def whose(self, client: Address, server: Address) -> Whose:
        """Whose the client's end of a connection to this gateway is."""
        peer = peer_of(client, server, proc=self._proc)
        if peer is None or not peer.inode:
            return "gone"
        if peer.uid not in self._allowed:
            return "other"
        return "command" if self._is_of_command(peer.inode) else "own"

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

    def _is_of_command(self, inode: int) -> bool:
        """A process that cannot be looked into counts as having the socket: one of ours that hides has a reason."""
        link = f"socket:[{inode}]"
        return any(self._holds(pid, link) for keeper in self._keepers() for pid in self._commands(keeper))

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

    def _commands(self, keeper: int) -> Iterator[int]:
        """What descends from a keeper, but its wardens; bubblewrap has the keeper below itself."""
        above = [keeper]
        if BWRAP in self._command_line(keeper).partition(b"\0")[0]:
            above = [child for pid in above for child in self._children(pid)]
        pending = [child for pid in above for warden in self._children(pid) for child in self._children(warden)]
        while pending:
            pid = pending.pop()
            yield pid
            pending += self._children(pid)

    def _holds(self, pid: int, link: str) -> bool:
        folder = self._proc / str(pid) / "fd"
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return False
        except PermissionError:
            return True
        for name in names:
            try:
                if os.readlink(folder / name) == link:
                    return True
            except FileNotFoundError:
                continue
            except PermissionError:
                return True
        return False

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
