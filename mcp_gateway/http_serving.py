"""MCP over HTTP at work: the SDK's server behind its two transports."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, AuthorizationContext
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_gateway.forwarding import InItsProcess, MessagesInTheirProcess
from mcp_gateway.identity import caller_in
from mcp_gateway.refused_messages import Screened
from mcp_gateway.toolsets import selected
from mcp_gateway.transports import MESSAGES_PATH
from shared.domain.identity import LOCAL

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits
    from shared.gateway import Gateway

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_SESSIONS = 1_000
MAX_SESSIONS_OF_ONE = 250
"""Of one key or login: else one alone could keep all others out. The user of this machine is not bounded by it."""

Create = Callable[..., Server[Any]]


class Serving:
    """A server with its two transports; a session manager serves only once, so each lifespan has its own."""

    def __init__(
        self,
        gateway: "Gateway",
        security: TransportSecuritySettings,
        *,
        max_body_bytes: int,
        limits: "Limits | None",
        create: Create,
    ) -> None:
        async def ready() -> "Gateway":
            return gateway

        server = self._server = create(ready, limits=limits, selection=selected(gateway.settings))
        node = gateway.nodes.id
        self.sse = SseServerTransport(f"{MESSAGES_PATH}{node}/" if node else MESSAGES_PATH, security, max_body_bytes)
        self.sessions = _Sessions(
            server, security_settings=security, max_request_body_size=max_body_bytes, max_sessions=MAX_SESSIONS
        )
        self._streamable: ASGIApp = self.sessions.handle_request
        self._messages: ASGIApp = self.sse.handle_post_message
        if node:
            self._streamable = InItsProcess(self._streamable, gateway)
            self._messages = MessagesInTheirProcess(self._messages, gateway)

    async def streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of Streamable HTTP."""
        _sign(scope)
        # The header parser leaves blanks at the end of values, which are no part of them (RFC 9110, 5.5).
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await self._streamable(scope, receive, send)

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message for an SSE connection."""
        _sign(scope)
        await self._messages(scope, receive, send)

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one SSE connection until it ends."""
        _sign(scope)
        async with self.sse.connect_sse(scope, receive, send) as (incoming, outgoing):
            screened = Screened(incoming, outgoing)
            await self._server.run(screened, outgoing, self._server.create_initialization_options())


class _Sessions(StreamableHTTPSessionManager):
    """Those of Streamable HTTP."""

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        own = sum(owner == requestor for owner in self._session_owners.values())
        bounded = requestor is not None and requestor["client_id"] != LOCAL.id
        return None if bounded and own >= MAX_SESSIONS_OF_ONE else super()._admit_session(requestor)


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
