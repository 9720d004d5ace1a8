"""Operations over HTTP: a literal row says where one is, and this makes the routes from the rows."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import NUL, parse_object, parse_query, read_body
from http_api.context import Exchange, Route, exchange_of
from http_api.disconnect import CancelWhenGone
from http_api.renderings import FORMAT, Rendering, Renderings, chosen
from http_api.responses import NO_STORE, send_bytes, send_json
from shared.errors import invalid_field
from shared.operations import dispatch
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.settings import Settings

Method = Literal["GET", "POST", "PUT", "DELETE"]
WITHOUT_BODY = frozenset({"GET", "DELETE"})
ENDS_WITH_CLIENT = frozenset({"read", "execute"})
"""Effects of operations that stop when their client leaves or its credentials end. A change that was begun is carried through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation at one method and path.

    The names of path parameters are fields of the operation's request, as they are on the wire. GET and DELETE take
    the rest of the request from the query string, the others from a JSON body. `public` and `limited` as in Route;
    `nul` lets NUL characters through, for what goes to a terminal.
    `as_chat` is for what takes a chat: its body may be as large, and this puts in what its headers say.
    `lenient` ignores query parameters that the operation does not know: clients of other APIs send theirs.
    `body_limit` is for what takes a larger body than others.
    `renderings` are further forms of the result that a GET may ask for, by the query parameter `format` or by Accept;
    `form` is the one that the result always has, instead of JSON.
    """

    method: Method
    path: str
    operation: Operation[Any, Any]
    status: int = 200
    public: bool = False
    limited: bool = True
    nul: bool = False
    lenient: bool = False
    as_chat: Callable[[dict[str, Any], Exchange], None] | None = None
    body_limit: Callable[["Settings"], int] | None = None
    renderings: Renderings = field(default_factory=dict)
    form: Rendering | None = None


def routes_of(rows: Iterable[Row], gateway: "Gateway") -> list[Route]:
    """The routes of the rows; the rows of one path make one route."""
    paths: dict[str, list[Row]] = {}
    for row in rows:
        paths.setdefault(row.path, []).append(row)
    return [_route(path, together, gateway) for path, together in paths.items()]


def _route(path: str, rows: Sequence[Row], gateway: "Gateway") -> Route:
    if len({(row.public, row.limited) for row in rows}) != 1 or len({row.method for row in rows}) != len(rows):
        raise ValueError(f"the rows of {path} contradict each other")
    return Route(
        path=path,
        methods={row.method: bind(row, gateway) for row in rows},
        public=rows[0].public,
        limited=rows[0].limited,
        body_limit=max(_limit(row, gateway) for row in rows) or None,
        carried_through=frozenset(row.method for row in rows if row.operation.effect not in ENDS_WITH_CLIENT),
    )


def _limit(row: Row, gateway: "Gateway") -> int:
    """The bytes that a body of the row's own may have; 0 where it has no limit of its own."""
    if row.body_limit is not None:
        return row.body_limit(gateway.settings)
    return gateway.settings.max_chat_body_bytes if row.as_chat else 0


def bind(row: Row, gateway: "Gateway") -> ASGIApp:
    """The ASGI application that runs a row's operation."""
    operation, watched = row.operation, row.operation.effect in ENDS_WITH_CLIENT

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        payload = await _payload(row, scope, receive, exchange)
        rendering = _rendering(row, payload, exchange)
        strict = row.method not in WITHOUT_BODY
        with CancelWhenGone(receive) if watched else nullcontext():
            result = await dispatch.call(gateway, exchange.caller, operation, payload, strict=strict)
        if rendering is None:
            await send_json(scope, send, result.model_dump_json(by_alias=True).encode(), row.status)
            return
        saved = (b"content-disposition", b'attachment; filename="%s"' % rendering.filename.encode("ascii"))
        media, body = rendering.media.encode("ascii"), rendering.render(result)
        await send_bytes(scope, send, body, status=row.status, media=media, headers=[NO_STORE, saved])

    return application


def _rendering(row: Row, payload: dict[str, Any], exchange: Exchange) -> Rendering | None:
    """What the answer is to be rendered with; None is JSON."""
    if row.form is not None or row.as_chat is not None:
        return row.form
    accept = exchange.headers.get(b"accept", b"").decode("latin-1")
    return chosen(row.renderings, payload.pop(FORMAT, None) if row.renderings else None, accept)


async def _payload(row: Row, scope: Scope, receive: Receive, exchange: Exchange) -> dict[str, Any]:
    """What the client sent, in the query or the body, and in the path."""
    payload: dict[str, Any] = dict(parse_query(scope["query_string"]))
    if row.lenient:
        known = {field.alias or name for name, field in row.operation.request.model_fields.items()}
        payload = {name: value for name, value in payload.items() if name in known and name not in exchange.params}
    elif row.method not in WITHOUT_BODY:
        for name in payload:
            raise invalid_field(name[:100], "this path takes no query parameters")
        payload = parse_object(await read_body(receive), nul=row.nul)
        if row.as_chat is not None:
            row.as_chat(payload, exchange)
    for name, value in exchange.params.items():
        if NUL in value:
            raise invalid_field(name, "it may not contain NUL characters")
        if name in payload:
            raise invalid_field(name, "it is given by the path; leave it out here")
        payload[name] = value
    return payload
