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
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_gateway.forwarding import InItsProcess, MessagesInTheirProcess
from mcp_gateway.identity import caller_in
from mcp_gateway.plain_refusals import AsJson
from mcp_gateway.refused_messages import Screened
from mcp_gateway.server import GatewayServer
from mcp_gateway.toolsets import selected
from mcp_gateway.transports import MESSAGES_PATH
from shared.domain.identity import LOCAL

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits
    from shared.gateway import Gateway

ANY_CASE = (b"host", b"origin")
"""Headers whose case says nothing."""
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

        AppStatus.enable_automatic_graceful_drain = (
            False  # it breaks off calls under way; `stop` and the server end the rest
        )
        server = self._server = create(ready, limits=limits, selection=selected(gateway.settings))
        node = gateway.nodes.id
        self.sse = SseServerTransport(f"{MESSAGES_PATH}{node}/" if node else MESSAGES_PATH, security, max_body_bytes)
        self.sessions = _Sessions(
            server, security_settings=security, max_request_body_size=max_body_bytes, max_sessions=MAX_SESSIONS
        )
        self._streamable: ASGIApp = self.sessions.handle_request
        self._messages: ASGIApp = AsJson(self.sse.handle_post_message)
        if node:
            self._streamable = InItsProcess(self._streamable, gateway)
            self._messages = MessagesInTheirProcess(self._messages, gateway)

    def running(self) -> int:
        """How many tool calls are under way."""
        return self._server.tools.running if isinstance(self._server, GatewayServer) else 0

    def stop(self) -> None:
        """End the subscriptions."""
        if isinstance(self._server, GatewayServer):
            self._server.stop()

    async def streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of Streamable HTTP."""
        _prepare(scope)
        await self._streamable(scope, receive, send)

    async def messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message for an SSE connection."""
        _prepare(scope)
        await self._messages(scope, receive, send)

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one SSE connection until it ends."""
        _prepare(scope)
        async with self.sse.connect_sse(scope, receive, send) as (incoming, outgoing):
            screened = Screened(incoming, outgoing)
            await self._server.run(screened, outgoing, self._server.create_initialization_options())


class _Sessions(StreamableHTTPSessionManager):
    """Those of Streamable HTTP."""

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        own = sum(owner == requestor for owner in self._session_owners.values())
        bounded = requestor is not None and requestor["client_id"] != LOCAL.id
        return None if bounded and own >= MAX_SESSIONS_OF_ONE else super()._admit_session(requestor)

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """Begin to end the sessions of callers who are gone, and every call in them."""
        for session_id, owner in self._session_owners.items():
            transport = self._server_instances.get(session_id)
            if transport is not None and transport.idle_scope is not None and gone(owner["client_id"]):
                transport.idle_scope.cancel()


def _prepare(scope: Scope) -> None:
    """Name the caller in the SDK's way, which keeps everybody else out of the sessions that this one opens; and write the
    headers as it compares them.
    """
    # The header parser leaves blanks at the end of values, which are no part of them (RFC 9110, 5.5).
    values = ((name, value.strip(b" \t")) for name, value in scope["headers"])
    scope["headers"] = [(name, value.lower() if name in ANY_CASE else value) for name, value in values]
    scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=caller_in(scope).id, scopes=[]))


def security_of(hosts: Sequence[str], origins: Sequence[str]) -> TransportSecuritySettings:
    """The SDK's own check of Host and Origin, set to what the HTTP surface has let through already."""
    names = [*LOOPBACK, *(_in_header(host.lower()) for host in hosts)]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            *(origin.rstrip("/").lower() for origin in origins),
            *(f"{scheme}://{name}{port}" for scheme in ("http", "https") for name in names for port in ("", ":*")),
        ],
    )


def _in_header(host: str) -> str:
    """A host as the Host header has it: IPv6 in brackets, other scripts in Punycode."""
    if ":" in host and not host.startswith("["):
        return f"[{host}]"
    return host if host.isascii() else host.encode("idna").decode("ascii")
