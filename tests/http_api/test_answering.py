"""How answers are written, over a real socket."""

from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.http_server import serving

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def saying(*messages: dict[str, Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_whole_answer_is_one_packet() -> None:
    app = saying(start((b"Content-Length", b"5"), (b"x-a", b"1")), body(b"he", more=True), body(b"llo"))
    async with serving(app) as running:
        reader, writer = await running.connect()
        writer.write(GET.replace(b"connection: close\r\n", b""))
        first = await reader.read(65536)
        writer.close()
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\nhe" in first


async def test_an_answer_of_unknown_length_begins_at_once_and_comes_in_chunks() -> None:
    app = saying(start(), body(b"one", more=True), body(b"two"))
    async with serving(app) as running:
        status, headers, text = await running.exchange(GET)
    assert (status, headers["transfer-encoding"], headers["connection"]) == (200, "chunked", "close")
    assert text == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_line", "messages", "framing"),
    [
        (b"HEAD", (start((b"content-length", b"5")), body(b"")), ("content-length", "5")),
        (b"GET", (start(status=204), body(b"")), None),
        (b"GET", (start((b"content-length", b"0")), body(b"")), ("content-length", "0")),
    ],
    ids=["only the head", "no content", "an empty one"],
)
async def test_an_answer_without_a_body_ends_with_its_head(
    request_line: bytes, messages: tuple[dict[str, Any], ...], framing: tuple[str, str] | None
) -> None:
    async with serving(saying(*messages)) as running:
        _, headers, text = await running.exchange(GET.replace(b"GET", request_line))
    assert text == b""
    assert "transfer-encoding" not in headers
    assert framing is None or headers[framing[0]] == framing[1]


async def test_whoever_says_that_the_connection_closes_closes_it() -> None:
    app = saying(start((b"content-length", b"0"), (b"connection", b"Keep-Alive, Close")), body(b""))
    async with serving(app) as running:
        _, headers, _ = await running.exchange(GET.replace(b"connection: close\r\n", b""))
    assert headers["connection"] == "Keep-Alive, Close"


@pytest.mark.parametrize("value", [b"a\r\nx-forged: 1", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb"])
@pytest.mark.parametrize("place", [0, 1])
async def test_a_header_cannot_become_two(value: bytes, place: int) -> None:
    header = (value, b"x") if place == 0 else (b"x-a", value)
    app = saying(start((b"content-length", b"0"), header), body(b""))
    async with serving(app) as running:
        reader, writer = await running.connect()
        writer.write(GET)
        said = await reader.read(65536)
        writer.close()
    assert b"x-forged" not in said
    assert b"200 OK" not in said


async def test_more_than_was_announced_is_not_sent() -> None:
    app = saying(start((b"content-length", b"2")), body(b"three"))
    async with serving(app) as running:
        reader, writer = await running.connect()
        writer.write(GET)
        said = await reader.read(65536)
        writer.close()
    assert b"three" not in said
