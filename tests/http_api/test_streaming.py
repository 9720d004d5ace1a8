from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from http_api.context import SCOPE_KEY, Exchange
from http_api.streaming import send_events
from shared.errors import UpstreamError


async def sent_by(events: AsyncIterator[bytes]) -> tuple[list[Message], Exchange]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    exchange = Exchange("r", {}, "")
    try:
        await send_events({SCOPE_KEY: exchange}, send, events, [(b"x-more", b"1")])
    except UpstreamError:
        sent.append({"type": "raised"})
    return sent, exchange


async def test_events_are_sent_as_they_are_and_done_closes() -> None:
    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\ndata: 2\n\n"
        yield b"data: 3\n\n"

    sent, exchange = await sent_by(events())
    assert sent[0]["status"] == 200
    assert (b"x-more", b"1") in sent[0]["headers"]
    assert [message["body"] for message in sent[1:]] == [
        b"data: 1\n\ndata: 2\n\n",
        b"data: 3\n\n",
        b"data: [DONE]\n\n",
    ]
    assert [message.get("more_body", False) for message in sent[1:]] == [True, True, False]
    assert exchange.failure_event is not None


@pytest.mark.parametrize("before", [0, 2])
async def test_a_failure_leaves_the_stream_open_for_the_boundary(before: int) -> None:
    async def events() -> AsyncIterator[bytes]:
        for _ in range(before):
            yield b"data: x\n\n"
        raise UpstreamError("It broke.")

    sent, exchange = await sent_by(events())
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * before, "raised"]
    assert all(message["more_body"] for message in sent[1:-1])
    assert exchange.failure_event is not None
