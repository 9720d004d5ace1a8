"""MCP over HTTP: Streamable HTTP at `/mcp`, and the older SSE at `/sse` with `/messages/`, as routes for the HTTP surface.

The SDK takes as long to load as everything else together, so that it is loaded beside the first requests.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from mcp_gateway.calls.call import Limits
    from mcp_gateway.http_serving import Create, Serving
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

HTTP_PATH = "/mcp"
SSE_PATH = "/sse"
MESSAGES_PATH = "/messages/"
LOAD_AFTER = 0.2
"""Seconds that the gateway has for its first answers before the SDK is loaded; whoever calls has it loaded at once."""


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
        create: "Create | None" = None,
    ) -> None:
        self._hosts = hosts
        self._origins = origins
        self._max_body_bytes = max_body_bytes
        self._limits = limits
        self._create = create
        self._wanted = asyncio.Event()
        self._serving: asyncio.Future[Serving] | None = None

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
        self._serving = serving = asyncio.get_running_loop().create_future()
        over = asyncio.Event()
        work = asyncio.create_task(self._serve(gateway, serving, over))
        try:
            yield
        finally:
            self._serving = None
            over.set()
            if not serving.done():
                serving.cancel()
                work.cancel()
            await asyncio.wait({work})
            if not work.cancelled():
                work.result()

    def running(self) -> int:
        """How many tool calls are under way."""
        serving = self._there()
        return 0 if serving is None else serving.running()

    def stop(self) -> None:
        """The server goes down: end the subscriptions."""
        if serving := self._there():
            serving.stop()

    def _there(self) -> "Serving | None":
        serving = self._serving
        if serving is None or not serving.done() or serving.cancelled() or serving.exception() is not None:
            return None
        return serving.result()

    async def _serve(self, gateway: "Gateway", serving: "asyncio.Future[Serving]", over: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(self._wanted.wait(), LOAD_AFTER)
        except TimeoutError:
            pass
        try:
            made = await asyncio.to_thread(self._made, gateway)
        except Exception as error:
            log.exception("MCP cannot be served over HTTP")
            serving.set_exception(error)
            serving.exception()  # for whoever calls
            return
        async with made.sessions.run():
            forget = gateway.departures.watch(made.sessions.end_of)
            serving.set_result(made)
            await over.wait()
            forget()

    def _made(self, gateway: "Gateway") -> "Serving":
        """Where the process keeps what it has loaded from the garbage collector, this too."""
        from mcp_gateway import http_serving
        from mcp_gateway.server import create_server

        frozen = gc.get_freeze_count()
        create = self._create or create_server
        security = http_serving.security_of(self._hosts, self._origins)
        made = http_serving.Serving(
            gateway, security, max_body_bytes=self._max_body_bytes, limits=self._limits, create=create
        )
        if frozen:
            gc.freeze()
        return made

    async def _streamable(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._now()).streamable(scope, receive, send)

    async def _sse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._now()).connect(scope, receive, send)

    async def _messages(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._now()).messages(scope, receive, send)

    async def _now(self) -> "Serving":
        if self._serving is None:
            raise RuntimeError("the MCP routes were called outside of their lifespan")
        self._wanted.set()
        return await asyncio.shield(self._serving)


class _Endpoint:
    """Starlette takes a function for one of its own endpoints; an object is left to be an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
