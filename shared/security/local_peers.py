"""Who is at the other end of a connection on this machine: which user, and whether it is a command that a gateway runs.

The kernel tells each socket's user and number, and which process has which sockets (proc_pid_fd). On Linux only.
"""

import os
import socket
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from typing import Literal

from shared.security.socket_tables import Address, Peer, is_of_this_machine, peer_of

Whose = Literal["own", "other", "command", "unknown"]

ROOT_UID = 0
"""Nothing is kept from the superuser, who could as well read this process."""

KEEPER = b"shared.terminal.keeper"
"""In the command line of the process above commands, of any gateway."""

MARK = b"Max file locks"
"""The limit that a keeper lowers for its commands, see `shared/terminal/keeper/mark.py`."""

RECENT = 8


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a connection's other end. `uid` is the user's number, None where the kernel does not tell it."""

    whose: Whose
    uid: int | None = None


OWN = Owner("own")
UNKNOWN = Owner("unknown")


class LocalPeers:
    """Asks the kernel anew each time, and looks into recent clients first."""

    def __init__(self, *, uid: int | None = None, proc: Path = Path("/proc")) -> None:
        self._uid = os.getuid() if uid is None else uid
        self._proc = proc
        self._recent: deque[int] = deque(maxlen=RECENT)

    def owner_of(self, client: Address, server: Address) -> Owner:
        """Return the owner of the client's end of a connection to this gateway.

        A peer that is on this machine and in none of the kernel's tables is unknown. One on another machine is only let in
        where the operator asked for it (`--insecure-no-auth`), and then like the owner.
        """
        peer = peer_of(client, server, proc=self._proc)
        if peer is None:
            return UNKNOWN if is_of_this_machine(client, server) else OWN
        if not peer.inode:
            return UNKNOWN
        if peer.uid not in (ROOT_UID, self._uid):
            return Owner("other", peer.uid)
        return Owner("command" if self._may_be_of_command(peer) else "own", peer.uid)

    def works(self) -> bool:
        """Whether the kernel tells it here: tried with a connection of our own."""
        if sys.platform != "linux":
            return False
        try:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as client,
            ):
                peer = peer_of(client.getsockname(), server.getsockname(), proc=self._proc)
                return peer is not None and peer.uid == self._uid and self._holder(peer) is not None
        except OSError:
            return False

    def _may_be_of_command(self, peer: Peer) -> bool:
        """Unless a process is seen to have the socket that is no command.

        A command can hide one from its own list of descriptors: in a thread with a list of its own, on the way from one process to
        another, in a call that goes on while the socket is closed. A socket without a visible holder is therefore a command's.
        """
        holder = self._holder(peer)
        if holder is None:
            return not self._only_closed_ones(peer.uid)
        if self._is_command(holder) or self._is_gateway(holder):
            return True
        if holder not in self._recent:
            self._recent.append(holder)
        return False

    def is_seen_at_command(self, peer: Peer) -> bool:
        """Whether a command of a gateway is seen to have the socket. One that hides it is not found."""
        holder = self._holder(peer)
        return holder is not None and self._is_command(holder)

    def _holder(self, peer: Peer) -> int | None:
        """A process that is seen to have the socket."""
        link = f"socket:[{peer.inode}]"
        return next((pid for pid in chain(tuple(self._recent), self._processes()) if self._holds(pid, link)), None)

    def _only_closed_ones(self, uid: int) -> bool:
        """Whether this user has processes that do not let us see their descriptors (root's, sshd), but no commands and no
        other gateway.
        """
        closed = False
        for pid in self._processes():
            if pid == os.getpid() or uid not in self._uids(pid):
                continue
            if self._is_command(pid) or self._is_gateway(pid):
                return False
            closed = closed or not os.access(self._proc / str(pid) / "fd", os.R_OK)
        return closed

    def _is_command(self, pid: int) -> bool:
        """Whether a gateway started it, by its mark or its ancestors. A process that ends meanwhile counts as a command."""
        return self._limits(pid)[1] < self._limits(os.getpid())[1] or self._is_below_keeper(pid)

    def _is_gateway(self, pid: int) -> bool:
        """Whether it is a gateway, whose connections are made for its callers."""
        soft, hard = self._limits(pid)
        return soft < hard

    def _is_below_keeper(self, pid: int) -> bool:
        """A gateway that runs as a command of another one does not count the keeper that is above both."""
        above = self._ancestors(pid)
        if above is None:
            return True
        keepers = {pid for pid in above if KEEPER in self._read(pid, "cmdline")}
        return bool(keepers) and not keepers <= set(self._ancestors(os.getpid()) or ())

    def _ancestors(self, pid: int) -> list[int] | None:
        """The process and those above it; None when one has ended meanwhile."""
        found: list[int] = []
        while pid:
            found.append(pid)
            try:
                pid = int(self._read(pid, "stat").rpartition(b")")[2].split()[1])
            except (IndexError, ValueError):
                return None
        return found

    def _limits(self, pid: int) -> tuple[float, float]:
        """Its soft and hard limit of locks; less than every other one when it has ended."""
        _, name, rest = self._read(pid, "limits").partition(MARK)
        if not name:
            return -1, -1
        soft, hard = (inf if limit == b"unlimited" else int(limit) for limit in rest.split(None, 2)[:2])
        return soft, hard

    def _uids(self, pid: int) -> frozenset[int]:
        """Its real, effective, saved and filesystem user."""
        rest = self._read(pid, "status").partition(b"\nUid:")[2]
        return frozenset(map(int, rest.partition(b"\n")[0].split()))

    def _processes(self) -> Iterator[int]:
        """The newest first: most clients are not old."""
        yield from sorted((int(name) for name in os.listdir(self._proc) if name.isdecimal()), reverse=True)

    def _holds(self, pid: int, link: str) -> bool:
        """Whether it is seen to have this; false when it has ended, or does not let us see its descriptors."""
        folder = self._proc / str(pid) / "fd"
        try:
            names = os.listdir(folder)
        except OSError:
            return False
        return any(_points_to(folder / name, link) for name in names)

    def _read(self, pid: int, name: str) -> bytes:
        """One of its files, empty when it has ended."""
        try:
            return (self._proc / str(pid) / name).read_bytes()
        except OSError:
            return b""


def _points_to(descriptor: Path, link: str) -> bool:
    try:
        return os.readlink(descriptor) == link
    except OSError:  # it was closed just now
        return False
