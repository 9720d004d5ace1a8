"""What the head of a request must be."""

import pytest

from http_api.framing import LONGEST_LINE, MOST_HEADERS, divided, fault_of, handshake_fault, too_many

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
HANDSHAKE = [(b"sec-websocket-version", b"13"), KEY]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b"/"),
        (b"GET", b"/a?b=c"),
        (b"OPTIONS", b"*"),
        (b"GET", b"http://localhost/a"),
        (b"GET", b"HTTPS://[::1]:3000/"),
        (b"GET", b"//a"),
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_sound_head_is_taken(method: bytes, target: bytes, version: str) -> None:
    assert fault_of(method, target, version, [(b"host", b"localhost")]) is None


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b"*"),
        (b"GET", b"a"),
        (b"GET", b"/a#b"),
        (b"GET", b"ftp://localhost/a"),
        (b"GET", b"http://localhost"),
        (b"GET", b"http://me@localhost/"),
        (b"GET", b"http://localhost:port/"),
        (b"GET", b"http://::1/"),
    ],
)
def test_an_unsound_target_is_not(method: bytes, target: bytes) -> None:
    fault = fault_of(method, target, "1.1", [])
    assert fault is not None
    assert (fault.status, fault.code) == (400, "malformed_target")


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", ""])
def test_other_versions_are_not_spoken(version: str) -> None:
    fault = fault_of(b"GET", b"/", version, [])
    assert fault is not None
    assert fault.status == 505


@pytest.mark.parametrize(
    ("value", "version", "status"),
    [(b"chunked", "1.1", 0), (b" Chunked ", "1.1", 0), (b"gzip, chunked", "1.1", 501), (b"chunked", "1.0", 400)],
)
def test_chunked_is_the_only_coding(value: bytes, version: str, status: int) -> None:
    fault = fault_of(b"POST", b"/", version, [(b"transfer-encoding", value)])
    assert (fault.status if fault else 0) == status


def test_an_absolute_target_has_an_authority_of_its_own() -> None:
    assert divided(b"http://localhost:3000/a?b") == (b"localhost:3000", b"/a?b")
    assert divided(b"/a") is None


def test_there_is_an_end_to_headers() -> None:
    assert too_many(MOST_HEADERS) is None
    fault = too_many(MOST_HEADERS + 1)
    assert fault is not None
    assert fault.status == 431


def test_a_handshake_is_taken() -> None:
    assert handshake_fault(b"GET", b"/", HANDSHAKE) is None


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        (b"POST", HANDSHAKE, 405),
        (b"GET", [*HANDSHAKE, (b"content-length", b"0")], 400),
        (b"GET", [*HANDSHAKE, (b"x", b"a" * LONGEST_LINE)], 431),
        (b"GET", [KEY], 426),
        (b"GET", [KEY, (b"sec-websocket-version", b"8")], 426),
        (b"GET", HANDSHAKE[:1], 400),
        (b"GET", [*HANDSHAKE, KEY], 400),
        (b"GET", [HANDSHAKE[0], (b"sec-websocket-key", b"short")], 400),
    ],
)
def test_a_handshake_that_lacks_something_is_not(
    method: bytes, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    fault = handshake_fault(method, b"/", headers)
    assert fault is not None
    assert fault.status == status
