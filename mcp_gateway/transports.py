"""MCP over HTTP: Streamable HTTP at `/mcp`, and the older SSE at `/sse` with `/messages/`, as routes for the HTTP surface."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_gateway.forwarding import InItsProcess, MessagesInTheirProcess
from mcp_gateway.identity import caller_in
from mcp_gateway.server import create_server
from mcp_gateway.toolsets import selected

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits
    from shared.gateway import Gateway

HTTP_PATH = "/mcp"
SSE_PATH = "/sse"
MESSAGES_PATH = "/messages/"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_SESSIONS = 1_000


class HttpTransports:
    """Both transports on one server. The routes answer while `lifespan` holds; the gateway is borrowed, never opened.

    `hosts` and `origins` are those that the HTTP surface lets through besides loopback, `create` makes the server.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        max_body_bytes: int = 4 * 1024 * 1024,
        limits: "Limits | None" = None,
        create: Callable[..., Server[Any]] = create_server,
    ) -> None:
        self._create = create
        self._security = security_of(hosts, origins)
        self._max_body_bytes = max_body_bytes
        self._limits = limits
        self._serving: _Serving | None = None

    @property
    def routes(self) -> list[BaseRoute]:
        """`/mcp` with and without a slash at its end, since clients are configured with either."""
        return [
            Route(HTTP_PATH, endpoint=_Endpoint(self._streamable)),
            Route(HTTP_PATH + "/", endpoint=_Endpoint(self._streamable)),
            Route(SSE_PATH, endpoint=_Endpoint(self._sse), methods=["GET"]),
            Mount(MESSAGES_PATH, app=self._messages),
        ]

    @asynccontextmanager
    async def lifespan(self, gateway: "Gateway") -> AsyncIterator[None]:
        """Serve this gateway until the block ends."""

        async def ready() -> "Gateway":
            return gateway

        server = self._create(ready, limits=self._limits, selection=selected(gateway.settings))
        serving = _Serving(server, self._security, self._max_body_bytes, gateway)
        async with serving.sessions.run():
            self._serving = serving
            try:
                yield
            finally:
                self._serving = None

    async def _streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self._now()
        _sign(scope)
        # The header parser leaves blanks at the end of values, which are no part of them (RFC 9110, 5.5).
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await serving.streamable(scope, receive, send)

    async def _sse(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self._now()
        _sign(scope)
        await serving.connect(scope, receive, send)

    async def _messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        serving = self._now()
        _sign(scope)
        await serving.messages(scope, receive, send)

    def _now(self) -> "_Serving":
        if self._serving is None:
            raise RuntimeError("the MCP routes were called outside of their lifespan")
        return self._serving


class _Serving:
    """A server with its two transports; a session manager serves only once, so each lifespan has its own."""

    def __init__(
        self, server: Server[Any], security: TransportSecuritySettings, max_body_bytes: int, gateway: "Gateway"
    ) -> None:
        self._server = server
        node = gateway.nodes.id
        self.sse = SseServerTransport(f"{MESSAGES_PATH}{node}/" if node else MESSAGES_PATH, security, max_body_bytes)
        self.sessions = StreamableHTTPSessionManager(
            server, security_settings=security, max_request_body_size=max_body_bytes, max_sessions=MAX_SESSIONS
        )
        self.streamable: ASGIApp = self.sessions.handle_request
        self.messages: ASGIApp = self.sse.handle_post_message
        if node:
            self.streamable = InItsProcess(self.streamable, gateway)
            self.messages = MessagesInTheirProcess(self.messages, gateway)

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one SSE connection until it ends."""
        async with self.sse.connect_sse(scope, receive, send) as (incoming, outgoing):
            await self._server.run(incoming, outgoing, self._server.create_initialization_options())


class _Endpoint:
    """Starlette takes a function for one of its own endpoints; an object is left to be an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _sign(scope: Scope) -> None:
    """Name the caller in the SDK's way: it then keeps everybody else out of the sessions that this one opens."""
    scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=caller_in(scope).id, scopes=[]))


def security_of(hosts: Sequence[str], origins: Sequence[str]) -> TransportSecuritySettings:
    """The SDK's own check of Host and Origin, set to what the HTTP surface has let through already."""
    names = [*LOOPBACK, *(f"[{host}]" if ":" in host and not host.startswith("[") else host for host in hosts)]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            *origins,
            *(f"{scheme}://{name}{port}" for scheme in ("http", "https") for name in names for port in ("", ":*")),
        ],
    )
