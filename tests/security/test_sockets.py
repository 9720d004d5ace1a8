"""What may be sent over an open WebSocket: anything that is no message ends it, and nothing else."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.victim import Victim

pytestmark = pytest.mark.slow

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
MEBIBYTE = 1024 * 1024


def frame(
    data: bytes, opcode: int = TEXT, *, first: int = 0x80, masked: bool = True, length: int | None = None
) -> bytes:
    """A frame as a client sends it, or as it should not."""
    size = len(data) if length is None else length
    mark = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first | opcode, mark | size)
    elif size < 65536:
        head = struct.pack("!BBH", first | opcode, mark | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, mark | 127, size)
    return head + bytes(4) + data if masked else head + data  # a mask of zeros changes nothing


@pytest.fixture(scope="module")
def terminal(local: Victim) -> Iterator[str]:
    opened = local.http.post("/v1/terminal/sessions", json={"type": "local"})
    assert opened.status_code == 201, opened.text
    path = f"/v1/terminal/{opened.json()['session']['id']}"
    yield path
    assert local.http.delete(path).status_code == 200


def attached(victim: Victim, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", victim.port), 5)
    connection.sendall(
        f"GET {path}/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection


def close_code(connection: socket.socket) -> int:
    """The code in the close frame, whatever comes before it; 0 where the connection ends without one."""
    with connection.makefile("rb") as received, suppress(ConnectionError):
        while len(head := received.read(2)) == 2:
            size = head[1] & 0x7F
            if size > 125:
                width = 2 if size == 126 else 8
                size = int.from_bytes(received.read(width), "big")
            body = received.read(size)
            if head[0] & 0x0F == CLOSE:
                return int.from_bytes(body[:2], "big")
    return 0


BAD = {
    "no JSON": (frame(b"ls"), 1008),
    "a list": (frame(b"[]"), 1008),
    "no type": (frame(b"{}"), 1008),
    "an unknown type": (frame(b'{"type":"execute","command":"id"}'), 1008),
    "a type as a list": (frame(b'{"type":["input"]}'), 1008),
    "input as a number": (frame(b'{"type":"input","data":1}'), 1008),
    "another session": (frame(b'{"type":"input","data":"id\\r","id":"term-other"}'), 0),
    "a field too many": (frame(b'{"type":"input","data":"","sudo":true}'), 1008),
    "a size below zero": (frame(b'{"type":"resize","cols":-1,"rows":1}'), 1008),
    "a size beyond reason": (frame(b'{"type":"resize","cols":100000000,"rows":100000000}'), 1008),
    "NaN": (frame(b'{"type":"resize","cols":NaN,"rows":1}'), 1008),
    "100,000 lists": (frame(b"[" * 100_000), 1008),
    "a lone surrogate": (frame(b'{"type":"input","data":"\\ud800"}'), 1008),
    "binary": (frame(b'{"type":"input","data":""}', BINARY), 1003),
    "invalid UTF-8": (frame(b'{"type":"input","data":"\xff"}'), 1007),
    "no mask": (frame(b"{}", masked=False), 1002),
    "a reserved opcode": (frame(b"{}", 5), 1002),
    "reserved bits": (frame(b"{}", first=0xF0), 1002),
    "a long ping": (frame(b"a" * 126, PING), 1002),
    "a ping in pieces": (frame(b"a", PING, first=0), 1002),
    "a continuation of nothing": (frame(b"{}", 0), 1002),
    "two beginnings": (frame(b"{", first=0) + frame(b"}", first=0), 1002),
    "a message of 1 MiB and a byte": (frame(b"", length=MEBIBYTE + 1), 1009),
    "a message of exabytes": (frame(b"", length=2**62), 1009),
    "a length below zero": (frame(b"", length=2**63), 1009),
    "pieces beyond 1 MiB": (frame(b"a" * MEBIBYTE, first=0) + frame(b"a" * 10, 0, first=0), 1009),
    "a close code that is none": (frame(struct.pack("!H", 5), CLOSE), 1002),
    "a close of one byte": (frame(b"a", CLOSE), 1002),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1002),
}


@pytest.mark.parametrize(("sent", "code"), BAD.values(), ids=BAD)
def test_what_is_no_message_ends_the_socket_and_not_the_terminal(
    local: Victim, terminal: str, sent: bytes, code: int
) -> None:
    with attached(local, terminal) as connection:
        connection.sendall(sent)
        if code:
            assert close_code(connection) == code
        else:
            connection.sendall(frame(b"no JSON"))
            assert close_code(connection) == 1008
    assert local.http.get(terminal).json()["session"]["connected"] is True


@pytest.mark.parametrize("count", [10_000], ids=["10,000 pings"])
def test_a_flood_of_pings_is_answered_or_cut_off(local: Victim, terminal: str, count: int) -> None:
    with attached(local, terminal) as connection:
        connection.sendall(frame(os.urandom(4), PING) * count + frame(b"no JSON"))
        assert close_code(connection) in (0, 1008)
    assert local.http.get("/health").status_code == 200


def test_a_socket_that_is_left_in_the_midst_of_a_message_is_forgotten(local: Victim, terminal: str) -> None:
    before = local.descriptors()
    for _ in range(20):
        with attached(local, terminal) as connection:
            connection.sendall(frame(b'{"type":', length=1000))
    assert local.http.get(terminal).json()["session"]["connected"] is True
    assert local.descriptors() <= before + 2
