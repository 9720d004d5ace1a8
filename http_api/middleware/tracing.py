"""A SERVER span for each request whose trace is recorded; there is none of this without OpenTelemetry."""

from collections.abc import Awaitable, Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.domain import trace
from shared.domain.trace import SAMPLED, Trace
from shared.telemetry.tracing import Span, Telemetry, known

UNTRACED = ("/livez", "/readyz", "/health", "/metrics", "/dashboard", "/docs", "/openapi.json", "/favicon.ico")
"""Paths that monitors and browsers ask for again and again; what begins with one of them leaves no span."""
TOLD = frozenset({b"x-gateway-model", b"x-gateway-provider", b"x-gateway-layer", b"x-gateway-cache"})
LONGEST = 300
CLIENT_CLOSED = 499
FAILED = 500


class Tracing:
    """Begins the span that the request context has named, and ends it when the answer is sent."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = exchange_of(scope)
        step = exchange.trace
        if step is None or not step.flags & SAMPLED or scope["path"].startswith(UNTRACED):
            return self._app(scope, receive, send)
        return self._traced(scope, receive, send, exchange, step)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange, step: Trace) -> None:
        around = trace.named(exchange.headers.get(b"traceparent", b"").decode("latin-1"))
        method = scope.get("method", "GET")
        span = Span(name=method, kind="server", trace=step, parent="" if around is None else around.span_id)

        def noted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                span.attributes |= _told(message.get("headers", ()))
            return send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = exchange.route.path if exchange.route else None
            span.name = f"{method} {route}" if route else method
            span.attributes |= known(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "url.path": scope["path"][:LONGEST],
                    "url.scheme": scope["scheme"],
                    "client.address": exchange.address,
                    "network.protocol.version": scope.get("http_version"),
                    "user_agent.original": exchange.headers.get(b"user-agent", b"").decode("latin-1")[:LONGEST],
                    "gateway.caller.id": exchange.caller.id,
                    "gateway.request.id": exchange.request_id,
                }
            )
            _note_status(span, exchange.status or CLIENT_CLOSED)
            self._telemetry.end(span)


def _note_status(span: Span, status: int) -> None:
    span.attributes["http.response.status_code"] = status
    if status >= FAILED:
        span.fail(str(status))


def _told(headers: Iterable[Any]) -> dict[str, Any]:
    """What the headers of a chat's answer say of how it came about."""
    return {
        name.decode("ascii").removeprefix("x-").replace("-", "."): value.decode("latin-1")
        for name, value in headers
        if name in TOLD
    }
