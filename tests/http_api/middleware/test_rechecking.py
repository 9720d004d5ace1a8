"""What is answered ends with the credentials that asked for it; everything else is left alone."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from http_api.context import SCOPE_KEY, Exchange, Route
from http_api.middleware.rechecking import Rechecking
from http_api.routing import Endpoint
from shared.domain.identity import LOCAL, SCOPES, Caller
from shared.errors import Unauthenticated

KEY = Caller(id="key-1", kind="key", name="k", scopes=SCOPES)


async def nothing(*_: Any) -> Any:
    raise AssertionError


def asked(caller: Caller, *, void: bool) -> Scope:
    """A request whose credentials no longer count, or still do."""
    exchange = Exchange("r", {}, "")

    def authenticate() -> Caller:
        if void:
            raise Unauthenticated()
        return caller

    exchange.caller, exchange.authenticate = caller, authenticate
    return {"type": "http", "method": "GET", "path": "/", SCOPE_KEY: exchange}


async def endless(_: Scope, __: Receive, ___: Send) -> None:
    await asyncio.get_running_loop().create_future()


async def begun(rechecking: Rechecking, scope: Scope, send: Send = nothing) -> "asyncio.Task[None]":
    """A request that is being answered, by what is mounted where it has no route."""
    endpoint = Endpoint(endless, endless, rechecking)

    async def answer() -> None:
        await endpoint(scope, nothing, send)

    answering = asyncio.create_task(answer())
    await asyncio.sleep(0)
    return answering


async def test_a_stream_of_what_is_mounted_ends_when_its_credentials_do() -> None:
    rechecking, scope, sent = Rechecking(), asked(KEY, void=True), []

    async def send(message: Message) -> None:
        sent.append(message)

    scope[SCOPE_KEY].status = 200
    streaming = await begun(rechecking, scope, send)
    rechecking.look()
    await streaming
    assert sent == [{"type": "http.response.body", "body": b""}]
    assert streaming.cancelling() == 0


async def test_what_has_not_begun_to_answer_is_refused() -> None:
    rechecking = Rechecking()
    waiting = await begun(rechecking, asked(KEY, void=True))
    rechecking.look()
    with pytest.raises(Unauthenticated):
        await waiting


@pytest.mark.parametrize("caller", [KEY, LOCAL])
async def test_whose_credentials_count_or_who_needs_none_is_left_alone(caller: Caller) -> None:
    rechecking = Rechecking()
    streaming = await begun(rechecking, asked(caller, void=caller is LOCAL))
    for _ in range(20):
        rechecking.look()
        await asyncio.sleep(0)
    assert not streaming.done()
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming


async def test_a_change_that_has_begun_is_carried_through() -> None:
    rechecking, scope = Rechecking(), asked(KEY, void=True)
    scope[SCOPE_KEY].route = Route(path="/", methods={"GET": endless}, carried_through=frozenset({"GET"}))
    changing = await begun(rechecking, scope)
    rechecking.look()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not changing.done()
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    streaming = await begun(Rechecking(), asked(KEY, void=True))
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming
