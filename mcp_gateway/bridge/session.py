"""The HTTP session behind one host: how it was opened, so that it can be opened again when the gateway has forgotten it."""

from __future__ import annotations

from typing import Any

import orjson

from mcp_gateway.bridge.messages import ACCEPT, Message, notices_of_change
from mcp_gateway.bridge.upstream import Response, Upstream

INITIALIZED = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
GONE = 404


class Session:
    """What the era of the handshake keeps between requests; the modern era has no such thing."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._opening: Message | None = None
        self._answer: Any = None
        self.id = ""
        self.version = ""

    def opened(self, opening: Message, response: Response, answer: Any) -> None:
        """Keep what an answered `initialize` has settled."""
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict):
            return
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

    async def renew(self) -> bool:
        """Open another session as the host opened the first; False when the gateway will not. Raises Away and Lost."""
        opening = self._opening
        if opening is None:
            return False
        async with self._upstream.post(opening.line, ACCEPT) as response:
            answer = await _first_answer(response)
            self.opened(opening, response, answer)
            if not (isinstance(answer, dict) and "result" in answer):
                return False
        async with self._upstream.post(INITIALIZED, self.headers):
            return True

    async def end(self) -> None:
        """Close it at the gateway, which ends what still runs in it."""
        if self.id:
            await self._upstream.end_session(self.headers)


async def _first_answer(response: Response) -> Any:
    if not response.is_stream:
        return await response.content()
    async for _, content in response.messages():
        return content
    return None
