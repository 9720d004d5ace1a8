"""The outermost layer: names the request, notes who sent it, and writes the access log and the metrics."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_api.context import SCOPE_KEY, Exchange, make_request_id
from http_api.error_forms import ErrorFormat
from http_api.metrics import Metrics
from http_api.responses import HARDENING
from shared.domain import trace
from shared.domain.trace import Trace
from shared.structured import get_logger

Network = IPv4Network | IPv6Network
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
CLIENT_CLOSED = 499
SECURE = {"http": "https", "ws": "wss"}


class RequestContext:
    """Puts an Exchange into the scope of each request and accounts for it when it has been answered.

    `begun` makes the request's step in the trace that its `traceparent` names, if any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        trusted_proxies: Sequence[str] = (),
        error_format: ErrorFormat = "auto",
        begun: Callable[[str | None], Trace] = trace.begun,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._proxies = tuple(ip_network(address, strict=False) for address in trusted_proxies)
        self._error_format = error_format
        self._begun = begun
        self._log = get_logger("http_api.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        client = scope.get("client")
        peer = client[0] if client else ""
        address = self._address(peer, headers)
        if headers.get(b"x-forwarded-proto") == b"https" and self._trusts(peer):
            scope["scheme"] = SECURE.get(scope["scheme"], scope["scheme"])
        given = headers.get(b"traceparent")
        step = self._begun(given and given.decode("latin-1"))
        trace.CURRENT.set(step)  # each request has a task of its own, with which it ends
        exchange = Exchange(_request_id(headers.get(b"x-request-id")), headers, address, step)
        exchange.added.extend(_trace_headers(step))
        exchange.error_format = self._error_format
        exchange.added.extend(HARDENING)
        scope[SCOPE_KEY] = exchange

        def tracked(message: Message) -> Any:
            kind = message["type"]
            if kind == "http.response.body":
                exchange.sent += len(message.get("body", b""))
                exchange.ended = not message.get("more_body", False)
            elif kind in ("http.response.start", "websocket.http.response.start"):
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *exchange.added]
            elif kind == "websocket.accept":
                exchange.status = 101
                message["headers"] = [*message.get("headers", ()), *exchange.added]
            return send(message)

        self._metrics.in_flight += 1
        try:
            await self._app(scope, receive, tracked)
        finally:
            self._metrics.in_flight -= 1
            self._account(scope, exchange)

    def _address(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """The client's address: the peer's, or what trusted proxies say of it."""
        if not self._proxies or not self._trusts(peer):
            return peer
        for hop in reversed(headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
            hop = hop.strip()
            if not _is_address(hop):
                break
            peer = hop
            if not self._trusts(hop):
                break
        return peer

    def _trusts(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._proxies)

    def _account(self, scope: Scope, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        status = exchange.status or CLIENT_CLOSED
        method = scope.get("method", "WEBSOCKET")
        self._metrics.answered(method, exchange.route.path if exchange.route else "(other)", status, seconds)
        path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
        self._log.info(
            "request",
            method=method,
            path=path if path.isprintable() else path.encode("unicode_escape").decode("ascii"),
            status=status,
            ms=round(seconds * 1000, 1),
            bytes=exchange.sent,
            caller=exchange.caller.id,
            address=exchange.address,
            request_id=exchange.request_id,
        )


def _request_id(given: bytes | None) -> str:
    if given and REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return make_request_id()


def _trace_headers(step: Trace) -> tuple[tuple[bytes, bytes], ...]:
    """What tools read, and what people look for in the audit trail and the log."""
    return (b"traceparent", step.traceparent.encode("ascii")), (b"x-trace-id", step.trace_id.encode("ascii"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
