"""Requests that are passed on: read to their end or not at all, and worked for while somebody waits."""

import asyncio
from typing import Any

import pytest

from shared.cluster.requests import again, body_of, while_there


def receiving(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else await asyncio.Event().wait()  # type: ignore[return-value]

    return receive


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


async def test_a_body_is_read_to_its_end() -> None:
    assert await body_of(receiving(part(b"ab", more=True), part(b"c"))) == b"abc"
    assert await body_of(receiving(part(b"abc")), 3) == b"abc"


@pytest.mark.parametrize("messages", [[GONE], [part(b"ab", more=True), GONE], [part(b"abcd")]])
async def test_a_body_that_breaks_off_or_is_too_long_is_none(messages: list[dict[str, Any]]) -> None:
    assert await body_of(receiving(*messages), 3) is None


async def test_what_was_read_is_read_once_more_before_the_rest() -> None:
    receive = again(b"abc", receiving(GONE))
    assert [await receive(), await receive()] == [part(b"abc"), GONE]


class Work:
    """Takes for ever, and a moment more to end."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def test_work_ends_when_who_asked_for_it_leaves() -> None:
    work = Work()
    await while_there(receiving(part(b""), GONE), work())
    assert work.ended


async def test_work_has_ended_when_whoever_waits_for_it_is_cancelled() -> None:
    work = Work()
    waiting = asyncio.create_task(while_there(receiving(), work()))
    await work.begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.ended


async def test_what_the_work_raises_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await while_there(receiving(), fails())
