"""Too much, too slow, too often: it is refused, nobody is locked out, and the gateway is well afterwards."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.victim import PASSWORD, Victim, answer_from, refused

pytestmark = pytest.mark.slow

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HANDSHAKE = (
    b"GET /v1/terminal/term-1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

needs_loopback_net = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")


@pytest.fixture(autouse=True)
def well(tight: Victim) -> Iterator[None]:
    """After every attack there is room again and it answers."""
    yield
    deadline = time.monotonic() + 5
    while tight.raw(HEALTH).status != 200:
        assert time.monotonic() < deadline, "it did not recover"


SLOW = {
    "the first byte": (b"G", 408),
    "the request line": (b"GET /health HTT", 408),
    "a header": (b"GET /health HTTP/1.1\r\nHost: local", 408),
    "the end of the headers": (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", 408),
    "a handshake": (HANDSHAKE, 408),
    "a body": (
        b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        408,
    ),
    "a chunk": (
        b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        408,
    ),
    "a trailer": (
        b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: ",
        408,
    ),
}


@pytest.mark.parametrize(("sent", "status"), SLOW.values(), ids=SLOW)
def test_a_slow_request_is_cut_off(tight: Victim, sent: bytes, status: int) -> None:
    refused(tight.raw(sent), status, code="request_timeout")


def test_a_client_that_drips_is_cut_off(tight: Victim) -> None:
    """Bytes that come in time do not buy more time."""
    with socket.create_connection(("127.0.0.1", tight.port), 5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        connection.settimeout(0.05)
        received = b""
        for _ in range(100):
            with suppress(TimeoutError):
                received = connection.recv(65536)
                break
            connection.sendall(b"X-A: b\r\n")
    assert b" 408 " in received


def test_a_client_that_says_nothing_is_let_go(tight: Victim) -> None:
    assert tight.all_of(b"") == b""


LARGE = {
    "one header": b"X-Large: " + b"a" * 70_000,
    "one name": b"X" * 70_000 + b": a",
    "a header without an end": b"X-Large: " + b"a" * 300_000,
    "the target": b"",
    "the credentials": b"Authorization: Bearer " + b"a" * 70_000,
    "the cookies": b"Cookie: " + b"a=b; " * 20_000,
    "101 headers": b"\r\n".join(b"X-%d: a" % number for number in range(101)),
    "thousands of headers": b"\r\n".join(b"X-%d: a" % number for number in range(5000)),
    "one header 5,000 times": b"\r\n".join([b"X-A: a"] * 5000),
}


@pytest.mark.parametrize("kind", ["request", "handshake"])
@pytest.mark.parametrize("lines", LARGE.values(), ids=LARGE)
def test_large_headers_are_refused(tight: Victim, lines: bytes, kind: str) -> None:
    start = HANDSHAKE if kind == "handshake" else b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    if not lines:
        start = start.replace(b" HTTP", b"?" + b"a" * 70_000 + b" HTTP")
    refused(tight.raw(start + lines + b"\r\n\r\n"), 431)


@pytest.mark.parametrize(
    "line",
    [b"X-Long: " + b"a" * 9000, b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    ids=["long", "body", "chunks"],
)
def test_a_handshake_that_its_parser_would_choke_on_is_answered(tight: Victim, line: bytes) -> None:
    refused(tight.raw(HANDSHAKE + line + b"\r\n\r\nhello"), 400, 431)


HANDSHAKES = {
    "POST": (HANDSHAKE.replace(b"GET", b"POST"), 405),
    "an old version": (HANDSHAKE.replace(b": 13", b": 8"), 426),
    "no version": (HANDSHAKE.replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426),
    "no key": (HANDSHAKE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""), 400),
    "two keys": (HANDSHAKE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
    "a short key": (HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"x"), 400),
}


@pytest.mark.parametrize(("sent", "status"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_broken_handshake_is_answered_in_our_form(tight: Victim, sent: bytes, status: int) -> None:
    refused(tight.raw(sent + b"\r\n"), status)


@pytest.mark.parametrize("kind", ["request", "handshake"])
def test_connections_beyond_the_limit_are_told_to_come_back(tight: Victim, kind: str) -> None:
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(socket.create_connection(("127.0.0.1", tight.port), 5))
        answer = tight.raw(HANDSHAKE + b"\r\n" if kind == "handshake" else HEALTH)
    refused(answer, 503, code="overloaded")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_flood_of_connections_is_cut_off_and_forgotten(tight: Victim) -> None:
    before = tight.descriptors()
    with ExitStack() as held:
        for _ in range(300):
            with suppress(OSError):
                held.enter_context(socket.create_connection(("127.0.0.1", tight.port), 5))
        assert tight.descriptors() <= before + 60
    deadline = time.monotonic() + 5
    while tight.descriptors() > before:
        assert time.monotonic() < deadline, "connections are kept"
        time.sleep(0.02)


def test_a_pipeline_of_hundreds_of_requests_is_answered_in_order(tight: Victim) -> None:
    one = b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = tight.all_of(one * 300 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert received.count(b"HTTP/1.1 200 ") == 301


def login(password: str, *more: bytes) -> bytes:
    body = b'{"username":"admin","password":"%s"}' % password.encode()
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return head + b"".join(more) + b"Content-Length: %d\r\n\r\n" % len(body) + body


@needs_loopback_net
def test_guessing_passwords_is_slowed_down_and_locks_nobody_out(tight: Victim) -> None:
    told = [tight.raw(login(f"guess {number}"), source="127.0.0.66") for number in range(8)]
    assert [answer.status for answer in told] == [401] * 5 + [429] * 3
    assert 1 <= int(told[-1].headers["retry-after"]) <= 60
    assert len({answer.json()["error"] for answer in told[:5]}) == 1
    assert tight.raw(login(PASSWORD), source="127.0.0.66").status == 429
    assert tight.raw(login(PASSWORD), source="127.0.0.67").status == 200


FORWARDED = [
    b"X-Forwarded-For: 9.9.9.%d\r\n",
    b"X-Forwarded-For: 127.0.0.1, 9.9.9.%d\r\n",
    b"Forwarded: for=9.9.9.%d\r\n",
    b"X-Real-IP: 9.9.9.%d\r\n",
    b"True-Client-IP: 9.9.9.%d\r\n",
    b"CF-Connecting-IP: 9.9.9.%d\r\n",
    b"X-Client-IP: 9.9.9.%d\r\n",
]


@needs_loopback_net
@pytest.mark.parametrize("header", FORWARDED, ids=lambda line: line.partition(b":")[0].decode())
def test_a_forwarded_address_is_not_believed(tight: Victim, header: bytes) -> None:
    source = f"127.0.1.{FORWARDED.index(header) + 1}"
    told = [tight.raw(login("guess", header % number), source=source).status for number in range(7)]
    assert told == [401] * 5 + [429] * 2


@needs_loopback_net
@pytest.mark.parametrize(
    "form", [b"Authorization: Bearer mgw_%032d\r\n", b"X-Api-Key: mgw_%032d\r\n", b"X-Api-Key: %d\r\n"]
)
def test_made_up_keys_open_no_buckets(tight: Victim, form: bytes) -> None:
    source = f"127.0.2.{len(form)}"
    head = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    told = [tight.raw(head + form % number + b"\r\n", source=source) for number in range(15)]
    assert [answer.status for answer in told] == [401] * 12 + [429] * 3
    assert [answer.headers["x-ratelimit-limit"] for answer in told] == ["12"] * 15
    refused(told[-1], 429)
    assert int(told[-1].headers["retry-after"]) >= 1


@needs_loopback_net
def test_mcp_is_counted_too(tight: Victim) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    head = (
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    told = [tight.raw(head + body, source="127.0.3.1").status for _ in range(14)]
    assert told == [401] * 12 + [429] * 2


def test_an_answer_can_be_read_after_all_that(tight: Victim) -> None:
    with socket.create_connection(("127.0.0.1", tight.port), 5) as connection:
        connection.sendall(HEALTH)
        assert answer_from(connection).json()["database"] is True
    assert "Traceback" not in tight.log()
