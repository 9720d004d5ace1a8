"""Messages on SSE that came over a rate limit: they are answered on the stream, and the server never sees them."""

from contextvars import Context
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import ErrorData, JSONRPCError, JSONRPCRequest

from mcp_gateway.throttling import refusal_in

Incoming = SessionMessage | Exception


class Screened:
    """A stream of messages without those that are refused; `outgoing` takes the answers to these."""

    def __init__(self, incoming: Any, outgoing: Any) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def last_context(self) -> Context | None:
        """That of the sender, as the SDK's own streams have it."""
        context: Context | None = self._incoming.last_context
        return context

    async def receive(self) -> Incoming:
        """The next message for the server."""
        while True:
            item: Incoming = await self._incoming.receive()
            refused = _refused(item)
            if refused is None:
                return item
            await self._outgoing.send(SessionMessage(refused))

    async def aclose(self) -> None:
        """Take no more."""
        await self._incoming.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Incoming:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _refused(item: Incoming) -> JSONRPCError | None:
    if not isinstance(item, SessionMessage) or not isinstance(item.message, JSONRPCRequest):
        return None
    if not isinstance(item.metadata, ServerMessageMetadata):
        return None
    error = refusal_in(getattr(item.metadata.request_context, "scope", {}))
    if error is None:
        return None
    return JSONRPCError(jsonrpc="2.0", id=item.message.id, error=ErrorData.model_validate(error))
