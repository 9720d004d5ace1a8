"""The kernel's tables of TCP sockets: asked for one socket by netlink, else searched in their text.

Sources: sock_diag(7), proc_net_tcp of proc(5). The text is dear, since the kernel walks through all places for sockets to make it.
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

Address = tuple[str, int]

SOCK_DIAG, BY_FAMILY, REQUEST = 4, 20, 1
HEADER = struct.Struct("=IHHII")
QUESTION = struct.Struct("=BBBxI")
ENDS = struct.Struct("!HH16s16s")
NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
ALL_STATES = 0xFFFFFFFF
UID_AND_INODE = struct.Struct("=II")
AT = HEADER.size + 4 + 48 + 12
"""Where those two stand: after the states, the two ends, and three counters."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A socket's user, and its number, which is 0 once no process has it any more."""

    uid: int
    inode: int


CONNECTED = frozenset({1, 4, 5, 8, 9, 11})
"""States in which the client's end belongs to the connection that we have; one that only begins with the same ends does not."""


def peer_of(client: Address, server: Address, *, proc: Path = Path("/proc")) -> Peer | None:
    """The client's own socket of a connection on this machine."""
    for hosts in _shapes(client, server):
        if (found := _asked(*hosts, client[1], server[1])) is not None:
            return found
    for table in ("tcp", "tcp6"):
        try:
            text = (proc / "net" / table).read_bytes()
        except OSError:
            continue
        if (found := find(text, client, server)) is not None:
            return found
    return None


def is_of_this_machine(client: Address, server: Address) -> bool:
    """Whether a connection cannot have come from another machine: by an end on loopback, or by the client's address."""
    here, there = _plain(server[0]), _plain(client[0])
    return here.is_loopback or there.is_loopback or here == there or is_own_address(client[0])


def is_own_address(host: str) -> bool:
    """Whether it is an address of this machine: one that can be bound. False of names."""
    try:
        plain = host if "%" in host else str(_plain(host))
        family, *_, address = socket.getaddrinfo(plain, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    except (OSError, ValueError):
        return False
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind(address)
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def find(table: bytes, client: Address, server: Address) -> Peer | None:
    """The client's own socket in the text of /proc/net/tcp or tcp6."""
    for hosts in _shapes(client, server):
        ends = zip((_hexadecimal(host.packed) for host in hosts), (client[1], server[1]), strict=True)
        at = table.find(b": " + b" ".join(f"{host}:{port:04X}".encode() for host, port in ends) + b" ")
        if at >= 0:
            fields = table[at:].split(None, 11)
            if int(fields[3], 16) not in CONNECTED:
                continue
            return Peer(uid=int(fields[7]), inode=int(fields[9]))
    return None


def question(local: IPv4Address | IPv6Address, remote: IPv4Address | IPv6Address, port: int, other: int) -> bytes:
    """What asks the kernel for the socket with these ends."""
    family = socket.AF_INET if local.version == 4 else socket.AF_INET6
    body = QUESTION.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES) + _ends(local, remote, port, other) + NO_COOKIE
    return HEADER.pack(HEADER.size + len(body), BY_FAMILY, REQUEST, 1, 0) + body


def answered(message: bytes, asked: bytes) -> Peer | None:
    """What the kernel says to that; None when it has no such socket, or does not answer such questions.

    For one that has gone it may tell of another that listens on the same port.
    """
    if len(message) < AT + UID_AND_INODE.size or HEADER.unpack_from(message)[1] != BY_FAMILY:
        return None
    if message[HEADER.size + 4 : HEADER.size + 4 + ENDS.size] != asked[-len(NO_COOKIE) - ENDS.size : -len(NO_COOKIE)]:
        return None
    if message[HEADER.size + 1] not in CONNECTED:
        return None
    return Peer(*UID_AND_INODE.unpack_from(message, AT))


def _ends(local: IPv4Address | IPv6Address, remote: IPv4Address | IPv6Address, port: int, other: int) -> bytes:
    return ENDS.pack(port, other, local.packed, remote.packed)


def _asked(local: IPv4Address | IPv6Address, remote: IPv4Address | IPv6Address, port: int, other: int) -> Peer | None:
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, SOCK_DIAG) as kernel:
            kernel.settimeout(1)
            asked = question(local, remote, port, other)
            kernel.send(asked)
            return answered(kernel.recv(4096), asked)
    except OSError:
        return None


def _shapes(client: Address, server: Address) -> Iterator[tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]]:
    """Both ends as IPv6 or IPv4, and as IPv4 in IPv6, which a program may have chosen."""
    first, second = (_plain(host) for host, _ in (client, server))
    yield first, second
    if first.version == 4:
        yield ip_address(f"::ffff:{first}"), ip_address(f"::ffff:{second}")


def _plain(host: str) -> IPv4Address | IPv6Address:
    found = ip_address(host.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _hexadecimal(packed: bytes) -> str:
    """Each four bytes as the number that they are on this machine."""
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
