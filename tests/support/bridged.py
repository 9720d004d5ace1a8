"""A server for the bridge to lead to: the SDK's own, with tools that do what bridges find hard, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.subscriptions import InMemorySubscriptionBus
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.http_server import Running, serving
from tests.support.stdio_process import COMMAND

TOO_MANY = {"error": "Too many requests; try again in 0 s.", "details": "", "code": "rate_limited"}
HEALTH = {"status": "ok", "layers": {}, "uptimeSeconds": 1}


class Yes(BaseModel):
    """What a user is asked."""

    ok: bool


@dataclass
class Far:
    """The server behind the bridge, and what it has seen."""

    running: Running
    bus: InMemorySubscriptionBus
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    methods: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """HTTP method and headers of each request to `/mcp`."""
    refusing: int = 0
    """So many messages are refused next, as over a rate limit."""

    @property
    def url(self) -> str:
        return self.running.url

    def break_off(self) -> None:
        """Go as a server does whose machine loses power: no connection is left, and none is taken."""
        for listening in self.running.server.servers:
            listening.close()
        for connection in tuple(self.running.server.server_state.connections):
            connection.transport.abort()


@asynccontextmanager
async def far_server() -> AsyncIterator[Far]:
    """Run it for the length of the block."""
    bus = InMemorySubscriptionBus()
    mcp = MCPServer("far", version="1", subscriptions=bus, log_level="ERROR")
    found: list[Far] = []

    @mcp.tool()
    async def echo(text: str) -> str:
        """Say the same."""
        return text

    @mcp.tool()
    async def count(ctx: Context[Any], to: int) -> int:
        """Count aloud."""
        for number in range(to):
            await ctx.report_progress(number, to, f"at {number}\u2028")
        return to

    @mcp.tool()
    async def wait() -> str:
        """Never end."""
        found[0].waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            found[0].cancelled.set()
            raise
        return ""

    @mcp.tool()
    async def ask(ctx: Context[Any]) -> str:
        """Ask the user."""
        answer = await ctx.elicit("Sure?", Yes)
        return answer.action

    routes = [Route("/health", _health), *mcp.streamable_http_app().routes]
    app = Starlette(routes=routes)
    async with mcp.session_manager.run(), serving(_Noting(app, found)) as running:
        found.append(Far(running, bus))
        yield found[0]


async def _health(_: Request) -> Response:
    return JSONResponse(HEALTH)


class _Noting:
    def __init__(self, app: ASGIApp, found: list[Far]) -> None:
        self._app = app
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/mcp":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self._found[0].methods.append((scope["method"], headers))
            if self._found[0].refusing and scope["method"] == "POST":
                self._found[0].refusing -= 1
                await JSONResponse(TOO_MANY, 429, headers={"retry-after": "0"})(scope, receive, send)
                return
        await self._app(scope, receive, send)


@asynccontextmanager
async def bridged(url: str, environ: dict[str, str], *, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """A client that starts `mcp-gateway stdio --connect URL` as hosts do."""
    parameters = StdioServerParameters(command=COMMAND, args=["stdio", "--connect", url], env=environ, cwd="/")
    async with Client(stdio_client(parameters), mode=mode, **options) as client:
        yield client
