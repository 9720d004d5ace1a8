"""Answers as plain ASGI messages."""

from collections.abc import Iterable, Sequence

from starlette.types import Scope, Send

from http_api.challenge import challenge_of
from http_api.context import exchange_of
from http_api.error_forms import form_for, status_for
from http_api.errors import Header, anthropic_status, body_of, headers_of, status_of
from shared.errors import GatewayError

JSON = b"application/json"
NO_STORE: Header = (b"cache-control", b"no-store")
HARDENING: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""What every answer carries, so that browsers make no more of it than it is."""
PAGE_POLICY: Header = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    b" base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
"""What pages carry besides: everything from this host, nothing inline, no framing."""


async def send_bytes(
    scope: Scope, send: Send, body: bytes, *, status: int = 200, media: bytes = JSON, headers: Iterable[Header] = ()
) -> None:
    """A whole answer; to HEAD only its headers."""
    start = [(b"content-type", media), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def send_json(scope: Scope, send: Send, body: bytes, status: int = 200, headers: Sequence[Header] = ()) -> None:
    """A JSON answer, which no cache keeps."""
    await send_bytes(scope, send, body, status=status, headers=[NO_STORE, *headers])


async def send_nothing(send: Send, status: int, headers: Sequence[Header] = ()) -> None:
    """An answer without content."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})


async def send_error(scope: Scope, send: Send, error: GatewayError) -> None:
    """An error answer, over HTTP or instead of a WebSocket handshake."""
    exchange = exchange_of(scope)
    form = form_for(exchange.error_format, exchange.headers, scope["path"])
    status = anthropic_status(error) if form == "anthropic" else status_of(error)
    body = body_of(error, status, exchange.request_id, form=form)
    status = status_for(status, scope["path"])
    headers = headers_of(error, status, failed_over=exchange.failed_over)
    if status == 401:
        headers.append((b"www-authenticate", challenge_of(scope)))
    if scope["type"] == "http":
        await send_json(scope, send, body, status, headers)
    elif "websocket.http.response" in scope.get("extensions", {}):
        start = [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), NO_STORE, *headers]
        await send({"type": "websocket.http.response.start", "status": status, "headers": start})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
