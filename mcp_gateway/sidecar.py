"""The HTTP surface with MCP mounted on it: for `serve`, and beside stdio in the same process on the same core."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from http_api.app import Mounted, hosts_of
from http_api.serve import CannotServe, listen, serve, url_of
from mcp_gateway.bridge.trust import Untrusted
from mcp_gateway.bridge.upstream import Upstream, local_url
from mcp_gateway.throttling import Throttled
from mcp_gateway.transports import HttpTransports
from shared.gateway import Gateway, open_gateway
from shared.settings import Settings, comma_separated

log = logging.getLogger(__name__)


def mounted(settings: Settings) -> Mounted:
    """MCP over HTTP, with the limits of the HTTP surface."""
    transports = HttpTransports(
        hosts=hosts_of(settings),
        origins=comma_separated(settings.allowed_origins),
        max_body_bytes=settings.max_chat_body_bytes,
    )
    return Mounted(
        routes=transports.routes,
        lifespan=transports.lifespan,
        throttle=Throttled,
        running=transports.running,
        stop=transports.stop,
    )


@asynccontextmanager
async def open_and_serve(settings: Settings) -> AsyncIterator[Gateway]:
    """The gateway, open and served over HTTP until the block ends.

    Where the port is not to be had it is open all the same: the host behind stdio still needs it.
    """
    async with open_gateway(settings, with_admin=True) as gateway:
        for line in gateway.announcements:
            log.warning("%s", line)
        try:
            sockets = listen(settings)
        except CannotServe as error:
            log.warning("%s", await _why_not(settings, error))
            yield gateway
            return
        async with _served(gateway, sockets):
            yield gateway


@asynccontextmanager
async def _served(gateway: Gateway, sockets: list[socket.socket]) -> AsyncIterator[None]:
    """Serve it for the length of the block; the gateway is borrowed."""

    @asynccontextmanager
    async def borrowed() -> AsyncIterator[Gateway]:
        yield gateway

    url = url_of(gateway.settings.api_host, sockets[0])
    serving: asyncio.Task[Any] = asyncio.create_task(
        serve(
            gateway.settings,
            borrowed,
            sockets,
            mounts=[mounted(gateway.settings)],
            on_ready=lambda _: log.warning("Serving HTTP at %s, MCP at %s/mcp.", url, url),
            handle_signals=False,
        )
    )
    serving.add_done_callback(_tell)
    try:
        yield
    finally:
        serving.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({serving})


def _tell(serving: "asyncio.Task[Any]") -> None:
    if not serving.cancelled() and (error := serving.exception()) is not None:
        log.error("HTTP is no longer served: %s", error)


async def _why_not(settings: Settings, error: CannotServe) -> str:
    upstream = Upstream(local_url(settings))
    try:
        is_gateway = settings.api_port and await upstream.is_ours()
    except Untrusted as found:
        return f"{error} {found} This gateway answers on stdio only."
    finally:
        await upstream.aclose()
    if is_gateway:
        return (
            f"Another gateway serves HTTP on port {settings.api_port} already, so this one answers on stdio only. "
            "`mcp-gateway stdio --connect` shares that one."
        )
    return f"{error} This gateway answers on stdio only."
