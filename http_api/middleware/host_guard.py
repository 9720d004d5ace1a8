"""Which hosts and web pages may speak to us: the wall against DNS rebinding and cross-site requests."""

import re
from collections import Counter
from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from http_api.errors import Header, HttpError
from http_api.responses import send_nothing
from shared.errors import Forbidden

LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITE = frozenset({b"same-origin", b"none"})
ONCE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-type",
        b"mcp-session-id",
        b"origin",
        b"sec-fetch-site",
        b"x-api-key",
        b"x-gateway-options",
    }
)
"""Headers on which decisions rest. Where one stands twice, a proxy in front may have judged the other."""
AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[^\[\]:@/\s]+)(:[0-9]{1,5})?")
HEADER_NAMES = re.compile(rb"[A-Za-z0-9-]+(\s*,\s*[A-Za-z0-9-]+)*")
EXPOSED = (
    b"x-request-id, x-trace-id, traceparent, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens,"
    b" x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, retry-after, x-gateway-model,"
    b" x-gateway-provider, x-gateway-layer, x-gateway-attempts, x-gateway-cost-usd, x-gateway-cache, mcp-session-id"
)


class HostGuard:
    """Lets through requests for a known host that come from no web page, from our own, or from a listed origin."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | {_in_header(host.lower()) for host in hosts}
        self._origins = frozenset(origin.rstrip("/").lower().encode("ascii") for origin in origins)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = exchange_of(scope)
        repeated = () if len(exchange.headers) == len(scope["headers"]) else _repeated(scope)
        host = self._host(exchange, once=b"host" not in repeated)
        for name in ONCE.intersection(repeated) if repeated else ():
            text = name.decode("ascii").title()
            raise HttpError(400, "repeated_header", f"The header {text} may be sent only once.")
        origin = exchange.headers.get(b"origin")
        if origin is None:
            self._same_site(scope, exchange)
        elif origin.lower() in self._origins:
            exchange.added.extend(_shared_with(origin))
            if scope.get("method") == "OPTIONS" and b"access-control-request-method" in exchange.headers:
                return send_nothing(send, 204, _preflight(exchange))
        elif origin.lower() in (b"http://" + host, b"https://" + host):
            self._same_site(scope, exchange)
        else:
            raise Forbidden(
                "Web pages of another origin may not call this gateway; list the origin in ALLOWED_ORIGINS.",
                code="foreign_origin",
            )
        return self._app(scope, receive, send)

    def _host(self, exchange: Exchange, *, once: bool) -> bytes:
        host = exchange.headers.get(b"host", b"").lower()
        match = AUTHORITY.fullmatch(host)
        if match is None or match[1] not in self._hosts or not once:
            raise HttpError(
                421,
                "unknown_host",
                "The Host header must name this gateway once: localhost, 127.0.0.1, [::1] or a name in ALLOWED_HOSTS.",
            )
        return host

    def _same_site(self, scope: Scope, exchange: Exchange) -> None:
        site = exchange.headers.get(b"sec-fetch-site")
        if site is None or site in OWN_SITE or scope.get("method") in SAFE_METHODS:
            return
        raise Forbidden("Requests from other sites may not change anything here.", code="cross_site")


def _in_header(host: str) -> bytes:
    """A host as the Host header has it: IPv6 in brackets, other scripts in Punycode."""
    if ":" in host and not host.startswith("["):
        return f"[{host}]".encode("ascii")
    return host.encode("ascii" if host.isascii() else "idna")


def _repeated(scope: Scope) -> set[bytes]:
    counts = Counter(name for name, _ in scope["headers"])
    return {name for name, count in counts.items() if count > 1}


def _shared_with(origin: bytes) -> list[Header]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED),
        (b"vary", b"origin"),
    ]


def _preflight(exchange: Exchange) -> list[Header]:
    asked = exchange.headers.get(b"access-control-request-headers", b"")
    headers = [
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
        (b"access-control-max-age", b"600"),
    ]
    if HEADER_NAMES.fullmatch(asked):
        headers.append((b"access-control-allow-headers", asked))
    if exchange.headers.get(b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers
