"""Event streams end with the credentials that opened them; everything else is left alone."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from http_api.context import SCOPE_KEY, Exchange
from http_api.middleware.rechecking import Rechecking
from shared.domain.identity import LOCAL, SCOPES, Caller
from shared.errors import Unauthenticated

KEY = Caller(id="key-1", kind="key", name="k", scopes=SCOPES)


async def nothing(*_: Any) -> Any:
    raise AssertionError


def asked(caller: Caller, *, counts: int) -> Scope:
    """A GET whose credentials count so many times more."""
    exchange, left = Exchange("r", {}, ""), [None] * counts

    def authenticate() -> Caller:
        if not left:
            raise Unauthenticated()
        left.pop()
        return caller

    exchange.caller, exchange.authenticate = caller, authenticate
    return {"type": "http", "method": "GET", SCOPE_KEY: exchange}


async def endless(_: Scope, __: Receive, ___: Send) -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_stream_ends_when_its_credentials_do() -> None:
    scope, sent = asked(KEY, counts=3), []

    async def send(message: Message) -> None:
        sent.append(message)

    scope[SCOPE_KEY].status = 200
    async with asyncio.timeout(5):
        await Rechecking(endless, seconds=0.001)(scope, nothing, send)
    assert sent == [{"type": "http.response.body", "body": b""}]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_has_not_begun_to_answer_is_refused() -> None:
    async with asyncio.timeout(5):
        with pytest.raises(Unauthenticated):
            await Rechecking(endless, seconds=0.001)(asked(KEY, counts=3), nothing, nothing)


async def test_who_needs_none_is_never_asked_again() -> None:
    streaming = asyncio.create_task(Rechecking(endless, seconds=0)(asked(LOCAL, counts=0), nothing, nothing))  # type: ignore[arg-type]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not streaming.done()
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    streaming = asyncio.create_task(Rechecking(endless, seconds=60)(asked(KEY, counts=0), nothing, nothing))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming
