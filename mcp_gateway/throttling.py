"""A rate limit that is reached, told as the error of the call that met it, which is what MCP clients show."""

import json
import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_gateway.transports import HTTP_PATH, MESSAGES_PATH
from shared.cluster.requests import again, body_of
from shared.errors import RateLimited

HEADER = b"x-gateway-refusal"
"""What a message that SSE clients post is to be refused with. Their answers come on the stream, so that the server has to say it;
the header goes along to the process that holds the stream. A client that sends it refuses itself."""
LONGEST = 1024 * 1024
INTERNAL_ERROR = -32603
"""As in `mcp.types`, which takes too long to load for this."""


class Throttled:
    """Answers a request over the limit. What asks for nothing passes: without a notification or an answer a call would hang."""

    def __init__(self, app: ASGIApp, error: RateLimited) -> None:
        self._app = app
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        posted = path.startswith(MESSAGES_PATH)
        if not posted and path.rstrip("/") != HTTP_PATH:
            raise self._error
        body = await body_of(receive, LONGEST) or b""
        message = _object_in(body)
        if _asks_nothing(message):
            await self._app(scope, again(body, receive), send)
        elif posted and "method" in message:
            said = (HEADER, json.dumps(error_of(self._error)).encode("ascii"))
            scope = {**scope, "headers": [*scope["headers"], said]}
            await self._app(scope, again(body, receive), send)
        else:
            await _refuse(send, self._error, message.get("id"))


def error_of(error: RateLimited) -> dict[str, Any]:
    """The error object of a JSON-RPC answer."""
    data = {"code": error.code, "details": error.details, "retryAfter": error.retry_after}
    return {"code": INTERNAL_ERROR, "message": error.message, "data": data}


def refusal_in(scope: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error that a posted message is to be refused with."""
    found = next((value for name, value in scope.get("headers", ()) if name == HEADER), b"")
    said = _object_in(found)
    message = said.get("message")
    if not isinstance(message, str):
        return None
    return {"code": INTERNAL_ERROR, "message": message, "data": said.get("data")}


async def _refuse(send: Send, error: RateLimited, named: Any) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": named, "error": error_of(error)})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"%d" % max(1, math.ceil(error.retry_after or 1))),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(value, dict):
        return {}
    named = value.get("id")
    if "id" in value and (isinstance(named, bool) or not isinstance(named, str | int)):
        return {}
    return value


def _asks_nothing(message: dict[str, Any]) -> bool:
    """Whether it is a notification, or the answer to a question of the server."""
    return ("method" in message) != ("id" in message) and message.get("jsonrpc") == "2.0"
