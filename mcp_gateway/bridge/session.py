"""The HTTP session behind one host: how it was opened, so that it can be opened again when the gateway has forgotten it."""

from __future__ import annotations

from typing import Any

import orjson

from mcp_gateway.bridge.messages import ACCEPT, Message, is_answer, notices_of_change, updated
from mcp_gateway.bridge.upstream import Response, Upstream

INITIALIZED = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
GONE = 404
INITIALIZE = "initialize"
SUBSCRIBE = "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"
SET_LEVEL = "logging/setLevel"


class Session:
    """What the era of the handshake keeps between requests; the modern era has no such thing."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._opening: Message | None = None
        self._answer: Any = None
        self._level: Message | None = None
        self._subscribed: dict[str, Message] = {}
        self.id = ""
        self.version = ""

    def answered(self, message: Message, response: Response, answer: Any) -> None:
        """Keep what an answered request has settled for those after it."""
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict) or message.version is not None:
            return
        if message.method == INITIALIZE:
            self._opened(message, response, answer, result)
        elif message.method == SET_LEVEL:
            self._level = message
        elif message.method == SUBSCRIBE:
            self._subscribed[str(message.params.get("uri"))] = message
        elif message.method == UNSUBSCRIBE:
            self._subscribed.pop(str(message.params.get("uri")), None)

    def _opened(self, opening: Message, response: Response, answer: Any, result: dict[str, Any]) -> None:
        self._opening, self._answer = opening, answer
        self.id = response.headers.get("mcp-session-id", "")
        self.version = str(result.get("protocolVersion", ""))

    @property
    def headers(self) -> dict[str, str]:
        """What each message of the session carries."""
        headers = dict(ACCEPT)
        if self.id:
            headers["mcp-session-id"] = self.id
        if self.version:
            headers["mcp-protocol-version"] = self.version
        return headers

    @property
    def notices(self) -> list[bytes]:
        """What to tell the host when it is another gateway than before, perhaps."""
        return notices_of_change(self._answer)

    @property
    def missed(self) -> list[bytes]:
        """What to tell the host when nobody could tell it of changes for a while."""
        return [updated(uri) for uri in self._subscribed]

    async def renew(self) -> bool:
        """Open another session as the host opened the first, with all that it has asked for since; False when the gateway
        will not. Raises Away and Lost.
        """
        before = self.id
        try:
            return await self._renewed()
        except BaseException:
            self.id = before  # half of one is none
            raise

    async def _renewed(self) -> bool:
        opening = self._opening
        if opening is None:
            return False
        async with self._upstream.post(opening.line, ACCEPT) as response:
            answer = await _first_answer(response)
            self.answered(opening, response, answer)
            if not (isinstance(answer, dict) and "result" in answer):
                return False
        async with self._upstream.post(INITIALIZED, self.headers):
            pass
        for message in [*([self._level] if self._level else ()), *self._subscribed.values()]:
            async with self._upstream.post(message.line, self.headers) as response:
                await _first_answer(response)
        return True

    async def end(self) -> None:
        """Close it at the gateway, which ends what still runs in it."""
        if self.id:
            await self._upstream.end_session(self.headers)


async def _first_answer(response: Response) -> Any:
    if not response.is_stream:
        return await response.content()
    async for _, content in response.messages():
        if is_answer(content):
            return content
    return None
