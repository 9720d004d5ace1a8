"""Chat: one answer, whole or as it comes, from the model that routing finds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.errors import Unsupported
from shared.operations.operation import Operation, StreamOperation
from shared.routing.executor import Answer, StreamedAnswer

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _complete(gateway: "Gateway", caller: Caller, request: ChatRequest) -> Answer:
    _refuse_what_is_not_there(request)
    return await gateway.executor.complete(caller, request)


@asynccontextmanager
async def _stream(gateway: "Gateway", caller: Caller, request: ChatRequest) -> AsyncIterator[StreamedAnswer]:
    _refuse_what_is_not_there(request)
    async with gateway.executor.stream(caller, request) as answer:
        yield answer


def _refuse_what_is_not_there(request: ChatRequest) -> None:
    """An option that would change the answer must not be ignored in silence."""
    options = request.options
    for name, wanted in (("crossCheck", options.cross_check), ("escalate", options.escalate), ("cache", options.cache)):
        if wanted:
            raise Unsupported(
                f"'gateway.{name}' is not supported yet; leave it out.",
                details={"fields": [{"field": f"gateway.{name}", "reason": "not supported yet"}]},
            )


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
