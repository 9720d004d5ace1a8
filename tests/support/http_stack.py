"""The HTTP layers around a few routes of a test's own, and clients for them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message

from http_api.context import Route
from http_api.large_bodies import LargeBodyLimits
from http_api.metrics import Metrics
from http_api.middleware.body_limits import BodyLimits
from http_api.middleware.boundary import Boundary
from http_api.middleware.host_guard import HostGuard
from http_api.middleware.rechecking import Rechecking
from http_api.middleware.request_context import RequestContext
from http_api.routing import Endpoint, Routing, not_found

BASE_URL = "http://127.0.0.1:3000"


def layers(
    routes: Sequence[Route],
    *,
    mounted: Sequence[BaseRoute] = (),
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    limit: int = 1000,
    large: LargeBodyLimits = LargeBodyLimits(),  # noqa: B008 - frozen
    inner: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    stopping: Callable[[], bool] = lambda: False,
    **context: Any,
) -> ASGIApp:
    """All layers but those that need a gateway; `inner` puts further ones around the endpoint."""
    router = Router(list(mounted), redirect_slashes=False, default=not_found)
    app: ASGIApp = Endpoint(router, router, Rechecking())
    app = BodyLimits(inner(app), limit=limit, mounted_limit=limit, large=large)
    app = HostGuard(app, hosts=hosts, origins=origins)
    app = Boundary(Routing(app, routes), stopping=stopping)
    return RequestContext(app, metrics=context.pop("metrics", None) or Metrics(), **context)


@asynccontextmanager
async def client(app: ASGIApp, address: str = "127.0.0.1", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that speaks to the application without a socket."""
    transport = httpx.ASGITransport(app=app, client=(address, 50000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, **options) as made:
        yield made


async def call(app: ASGIApp, scope: dict[str, Any], messages: Sequence[Message]) -> list[Message]:
    """Run the application on exactly these messages; what it sends."""
    sent: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({**HTTP_SCOPE, **scope}, receive, send)
    return sent


HTTP_SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"localhost:3000")],
    "client": ("127.0.0.1", 50000),
    "scheme": "http",
    "root_path": "",
}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which must be in our flat form and name its request."""
    body = answer.json()
    assert set(body) == {"error", "details", "code", "requestId"}, body
    assert isinstance(body["error"], str)
    assert body["error"]
    assert isinstance(body["details"], str | dict)
    assert body["requestId"] == answer.headers["x-request-id"]
    return dict(body)
