"""Chat: one answer, whole or as it comes, from the model that routing finds."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.operations.chat_entry import ChatEntry
from shared.operations.operation import Operation, StreamOperation
from shared.routing.answers import Answer, EventStream

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _complete(gateway: "Gateway", caller: Caller, request: ChatRequest) -> Answer:
    started = time.perf_counter()
    with ChatEntry(gateway, caller, request) as entry:
        if caller.is_counted:
            async with gateway.chat_limits.admitted(caller, request.facts) as counted:
                answer = await gateway.router.complete(counted, request)
        else:
            answer = await gateway.router.complete(caller, request)
        entry.whole = answer
    gateway.router.durations[False].observe(time.perf_counter() - started)
    return answer


@asynccontextmanager
async def _stream(gateway: "Gateway", caller: Caller, request: ChatRequest) -> AsyncIterator[EventStream]:
    started = time.perf_counter()
    with ChatEntry(gateway, caller, request) as entry:
        if caller.is_counted:
            async with (
                gateway.chat_limits.admitted(caller, request.facts) as counted,
                gateway.router.stream(counted, request) as answer,
            ):
                entry.stream = answer
                yield answer
        else:
            async with gateway.router.stream(caller, request) as answer:
                entry.stream = answer
                yield answer
    gateway.router.durations[True].observe(time.perf_counter() - started)


CHAT = Operation(
    name="chat",
    summary="Answer a chat with the model that routing finds",
    scope="chat",
    effect="execute",
    request=ChatRequest,
    result=Answer,
    run=_complete,
)

CHAT_STREAM = StreamOperation(
    name="chat_stream",
    summary="Answer a chat as it comes",
    scope="chat",
    effect="execute",
    request=ChatRequest,
    open=_stream,
)
