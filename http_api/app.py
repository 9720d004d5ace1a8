"""The application: its routes, the layers around them in order, and its life with the gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api import docs, metrics, protected_resource, terminal_socket
from http_api.binding import Row, routes_of
from http_api.context import SCOPE_KEY, Exchange, Route
from http_api.dashboard import routes as dashboard
from http_api.internal import Internal
from http_api.large_bodies import LargeBodyLimits
from http_api.measuring import Measuring
from http_api.metrics import Metrics
from http_api.middleware.body_limits import BodyLimits
from http_api.middleware.boundary import Boundary
from http_api.middleware.host_guard import HostGuard
from http_api.middleware.identity import Identity
from http_api.middleware.local_users import GuestLimits, own_user_only
from http_api.middleware.rate_limits import RateLimiting, Throttle
from http_api.middleware.rechecking import Rechecking
from http_api.middleware.request_context import RequestContext
from http_api.middleware.tracing import Tracing
from http_api.openapi import describe
from http_api.probes import Probes, Readiness
from http_api.routes import (
    approvals,
    audit,
    auth,
    budgets,
    cache,
    chat,
    config,
    decisions,
    feedback,
    keys,
    messages,
    models,
    ollama,
    policy,
    providers,
    recordings,
    responses,
    routing,
    system,
    terminals,
    usage,
)
from http_api.routing import Endpoint, Routing, not_found
from shared.domain import trace
from shared.security.local_peers import LocalPeers
from shared.settings import Settings, comma_separated
from shared.shutdown import Work

if TYPE_CHECKING:
    from shared.gateway import Gateway

Layer = Callable[[ASGIApp], ASGIApp]
GatewayOpener = Callable[[], AbstractAsyncContextManager["Gateway"]]

ROWS: tuple[Row, ...] = (
    *system.ROWS,
    *routing.ROWS,
    *models.ROWS,
    *recordings.ROWS,
    *policy.ROWS,
    *approvals.ROWS,
    *terminals.ROWS,
    *auth.ROWS,
    *keys.ROWS,
    *budgets.ROWS,
    *providers.ROWS,
    *usage.ROWS,
    *config.ROWS,
    *cache.ROWS,
    *feedback.ROWS,
    *decisions.ROWS,
    *audit.ROWS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What another surface puts beside ours. It finds the caller in `scope["gateway"].caller`.

    Everything around our own routes holds for these too; only their POST requests count against the rate limits
    (those of this machine's own user don't), and their bodies may be as large as a chat's. `throttle` answers where a
    limit is reached; one surface at most brings it. `running` counts the calls that a shutdown waits for, `stop` is
    called once it no longer waits: to end what never ends by itself.
    """

    routes: Sequence[BaseRoute]
    lifespan: "Callable[[Gateway], AbstractAsyncContextManager[None]] | None" = None
    throttle: Throttle | None = None
    running: Callable[[], int] = lambda: 0
    stop: Callable[[], None] = lambda: None


def create_app(open_gateway: GatewayOpener, *, mounts: Sequence[Mounted] = ()) -> "App":
    """The HTTP surface on the gateway that `open_gateway` opens when the server starts."""
    return App(open_gateway, mounts)


class App:
    """The ASGI application. A server either runs its lifespan or wraps itself in `opened`."""

    def __init__(self, open_gateway: GatewayOpener, mounts: Sequence[Mounted]) -> None:
        self._open_gateway = open_gateway
        self._mounts = mounts
        self._inner: ASGIApp | None = None
        self._gateway: Gateway | None = None
        self._reads: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self.readiness = Readiness()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if self._inner is None:
            raise RuntimeError("the application was called before its lifespan began")
        task = asyncio.current_task() if scope.get("method") == "GET" else None
        if task is None:
            await self._inner(scope, receive, send)
            return
        self._reads.add(task)
        try:
            await self._inner(scope, receive, send)
        finally:
            self._reads.discard(task)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Gateway"]:
        """The gateway and what is mounted, open until the block ends."""
        async with AsyncExitStack() as stack:
            gateway = await stack.enter_async_context(self._open_gateway())
            for mount in self._mounts:
                if mount.lifespan is not None:
                    await stack.enter_async_context(mount.lifespan(gateway))
            mounted = [route for mount in self._mounts for route in mount.routes]
            self._gateway = gateway
            throttle = next((mount.throttle for mount in self._mounts if mount.throttle), None)
            self._inner = compose(
                gateway, mounted, stopping=lambda: self._stopping, readiness=self.readiness, throttle=throttle
            )
            try:
                yield gateway
            finally:
                self._inner = None

    def leave(self, seconds: float) -> None:
        """Fail readiness from now on, and tell terminals that they end in so many seconds at most."""
        self.readiness.leaving = True
        if self._gateway is not None:
            self._gateway.terminals.announce_end(seconds)

    def running(self, requests: Iterable[Scope]) -> Work:
        """What a shutdown waits for, given the requests under way.

        Reads and what is mounted may wait for ever, so only the calls that the mounts count themselves are waited for.
        """
        exchanges = [scope[SCOPE_KEY] for scope in requests if scope["method"] != "GET" and SCOPE_KEY in scope]
        ours: list[Exchange] = [exchange for exchange in exchanges if exchange.route is not None]
        streams = sum(exchange.failure_event is not None for exchange in ours)
        return {
            "stream": streams,
            "request": len(ours) - streams,
            "MCP call": sum(mount.running() for mount in self._mounts),
            "command": 0 if self._gateway is None else self._gateway.terminals.running,
        }

    def stop(self) -> None:
        """End what never ends by itself (event streams, long polls) and what runs in terminals.

        From now on a request that is cancelled is told why.
        """
        self._stopping = self.readiness.leaving = True
        for task in self._reads:
            task.cancel()
        for mount in self._mounts:
            mount.stop()
        if self._gateway is not None:
            self._gateway.terminals.stop()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.opened():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def compose(
    gateway: "Gateway",
    mounted: Sequence[BaseRoute],
    *,
    stopping: Callable[[], bool],
    readiness: Readiness,
    throttle: Throttle | None = None,
) -> ASGIApp:
    """The routes, and around them the layers that every request passes."""
    settings: Settings = gateway.settings
    numbers = Metrics()
    measuring = Measuring(gateway, numbers)
    sockets = [
        WebSocketRoute(terminal_socket.PATH, terminal_socket.TerminalSocket(gateway)),
        WebSocketRoute(responses.PATH, responses.NoSocket()),
    ]
    rechecking = Rechecking()
    gateway.departures.watch(lambda _: rechecking.look())
    telemetry = gateway.telemetry
    if telemetry is not None:
        telemetry.watch(numbers.families)
    guests = GuestLimits(settings.local_guests_max_layer, settings.local_guests_per_minute)
    layers: list[Layer | None] = [  # in the order in which a request meets them
        None
        if gateway.nodes.alone
        else partial(Internal, gateway=gateway, mounted=_router(mounted), families=measuring.own),
        partial(
            RequestContext,
            metrics=numbers,
            trusted_proxies=comma_separated(settings.trusted_proxies),
            error_format=settings.error_format,
            begun=trace.begun if telemetry is None else telemetry.begun,
        ),
        None if telemetry is None else partial(Tracing, telemetry=telemetry),
        partial(Boundary, stopping=stopping, limits_reached=gateway.limits_reached),
        partial(Probes, gateway=gateway, readiness=readiness),
        partial(Routing, routes=_routes(gateway, measuring)),
        partial(HostGuard, hosts=hosts_of(settings), origins=comma_separated(settings.allowed_origins)),
        partial(
            Identity,
            logins=gateway.accounts.authenticate,
            api_keys=gateway.api_keys.authenticate,
            required=settings.auth_mode == "required",
        ),
        partial(own_user_only, peers=LocalPeers(), limits=guests)
        if settings.auth_mode == "local" and settings.local_users == "own"
        else None,
        partial(RateLimiting, limits=gateway.rate_limits, throttle=throttle, reached=gateway.limits_reached),
        partial(
            BodyLimits,
            limit=settings.max_body_bytes,
            mounted_limit=settings.max_chat_body_bytes,
            large=_large_bodies(settings),
        ),
    ]
    app: ASGIApp = Endpoint(_router(mounted), _router(sockets), rechecking)
    for layer in reversed(layers):
        app = app if layer is None else layer(app)
    return app


def _routes(gateway: "Gateway", measuring: Measuring) -> list[Route]:
    settings: Settings = gateway.settings
    return [
        chat.chat_route(gateway, settings.max_chat_body_bytes),
        *messages.routes(gateway, settings.max_chat_body_bytes),
        *responses.routes(gateway, settings.max_chat_body_bytes),
        *ollama.routes(gateway, settings.max_chat_body_bytes),
        *routes_of(ROWS, gateway),
        Route(path="/metrics", methods={"GET": metrics.endpoint(measuring.all)}, limited=False, scope="metrics"),
        *docs.routes(lambda: describe(ROWS, gateway.version)),
        *dashboard.routes(),
        *protected_resource.routes(),
    ]


def _large_bodies(settings: "Settings") -> LargeBodyLimits:
    return LargeBodyLimits(
        values=settings.max_body_values,
        caller_bytes=settings.max_body_bytes_in_work_per_caller,
        total_bytes=settings.max_body_bytes_in_work,
    )


def _router(routes: Sequence[BaseRoute]) -> Router:
    return Router(routes, redirect_slashes=False, default=not_found)


def hosts_of(settings: Settings) -> tuple[str, ...]:
    """The names besides loopback by which we may be called: those listed, and the one address we listen on."""
    everywhere = settings.api_host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    return (*comma_separated(settings.allowed_hosts), *(() if everywhere else (settings.api_host,)))
