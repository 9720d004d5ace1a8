"""From a path to what answers it: whole paths by look-up, paths with parameters by pattern, then what is mounted."""

import re
from collections.abc import Awaitable, Sequence
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, Route, exchange_of
from http_api.errors import HttpError
from http_api.middleware.rechecking import WITH_CREDENTIALS, Rechecking
from http_api.responses import send_nothing

PARAMETER = re.compile(r"\{([a-zA-Z_]+)(:path)?\}")


class Routing:
    """Finds the route of a request, for the middleware inside this one to judge and `answer` to run.

    Paths are matched as they were sent, so that an encoded slash stays inside its parameter; parameters are decoded
    afterwards. A slash at the end changes nothing. A path without parameters wins over one with them.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._whole = {route.path.encode("ascii"): route for route in routes if "{" not in route.path}
        self._patterns = [(pattern_of(route.path), route) for route in routes if "{" in route.path]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            raw = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
            self._find(raw, exchange_of(scope))
        return self._app(scope, receive, send)

    def _find(self, raw: bytes, exchange: Exchange) -> None:
        route = self._whole.get(raw)
        if route is None and raw.endswith(b"/") and len(raw) > 1:
            raw = raw[:-1]
            route = self._whole.get(raw)
        if route is not None:
            exchange.route = route
            return
        for pattern, candidate in self._patterns:
            if (match := pattern.fullmatch(raw)) and (params := _decoded(match.groupdict())) is not None:
                exchange.route = candidate
                exchange.params = params
                return


class Endpoint:
    """Runs the route that was found, or else the mounted applications; WebSockets have routes of their own.

    What is run for a key or a login is rechecked, but for changes, which are carried through once they have begun.
    """

    def __init__(self, mounted: ASGIApp, sockets: ASGIApp, rechecking: Rechecking) -> None:
        self._mounted = mounted
        self._sockets = sockets
        self._rechecking = rechecking

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "websocket":
            return self._sockets(scope, receive, send)
        exchange = exchange_of(scope)
        route, checked = exchange.route, exchange.caller.kind in WITH_CREDENTIALS
        if route is None:
            if checked:
                return self._rechecking.answer(self._other, scope, receive, send)
            return self._other(scope, receive, send)
        method = scope["method"]
        application = route.methods.get("GET" if method == "HEAD" else method)
        if application is not None:
            if checked and method not in route.carried_through:
                return self._rechecking.answer(application, scope, receive, send)
            return application(scope, receive, send)
        if method == "OPTIONS":
            return send_nothing(send, 204, [(b"allow", allowed(route))])
        raise HttpError(
            405,
            "method_not_allowed",
            f"{method[:20]} is not possible at this path; it takes {allowed(route).decode('ascii')}.",
            headers=((b"allow", allowed(route)),),
        )

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "*":
            await send_nothing(send, 204)
            return
        scope["app"] = self  # without an application Starlette answers a wrong method by itself, in plain text
        await self._mounted(scope, receive, send)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """The end of the line, for paths that nobody serves."""
    raise HttpError(404, "unknown_path", "There is nothing at this path; GET /openapi.json lists what there is.")


def allowed(route: Route) -> bytes:
    """The methods of a route, as the Allow header has them."""
    names = [*route.methods, "OPTIONS"]
    if "GET" in route.methods:
        names.insert(names.index("GET") + 1, "HEAD")
    return ", ".join(names).encode("ascii")


def pattern_of(path: str) -> re.Pattern[bytes]:
    """The pattern of a template: `{name}` is one segment, `{name:path}` one or more."""
    source, last = "", 0
    for match in PARAMETER.finditer(path):
        source += re.escape(path[last : match.start()])
        source += f"(?P<{match[1]}>.+)" if match[2] else f"(?P<{match[1]}>[^/]+)"
        last = match.end()
    return re.compile((source + re.escape(path[last:])).encode("ascii"), re.DOTALL)


def _decoded(found: dict[str, bytes]) -> dict[str, str] | None:
    try:
        return {name: unquote_to_bytes(value).decode() for name, value in found.items()}
    except UnicodeDecodeError:
        return None
