"""Chats over HTTP: OpenAI's chat completions, and every other form in which clients ask for one."""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import parse_object, read_body
from http_api.chat_headers import ESCALATION, SESSIONS, named_options, token_headers
from http_api.context import Exchange, Route, exchange_of
from http_api.disconnect import CancelWhenGone
from http_api.errors import Header, event_of
from http_api.protocol import CONNECTION
from http_api.responses import send_json
from http_api.streaming import DONE, EVENTS, send_events
from shared.domain.usage import Meter
from shared.errors import GatewayError, Unavailable, UpstreamError, invalid_field
from shared.operations import dispatch
from shared.operations.chat import CHAT, CHAT_STREAM
from shared.routing.answers import Answer, EventStream

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.routing.answers import Route as ModelRoute

PATH = "/v1/chat/completions"
OPTIONS_HEADER = b"x-gateway-options"
OPTION_HEADERS = frozenset(
    {OPTIONS_HEADER, b"cache-control", *(name.lower().encode("ascii") for name in (ESCALATION, *SESSIONS))}
)
UNKNOWN = b"unknown"
MOST_CACHE_CONTROL = 1000
OPERATIONS = (CHAT, CHAT_STREAM)


class Form(Protocol):
    """The form in which one client asked for a chat, and in which it reads the answer.

    `payload` is the chat in the canonical form, `headers` are what every answer of this form has, `end` ends a stream,
    whose content type is `media`.
    """

    payload: Mapping[str, Any]
    end: bytes
    media: Header

    def headers(self, exchange: Exchange) -> Sequence[Header]:
        """The headers that answers of this form have besides the others."""

    def whole(self, answer: Answer) -> bytes:
        """A whole answer."""

    def events(self, answer: EventStream) -> AsyncIterable[bytes]:
        """A streamed answer, in runs of whole events."""

    def failure(self, error: GatewayError) -> bytes:
        """The event that ends a stream which failed."""


class ChatCompletion:
    """OpenAI's chat completions: the canonical form itself."""

    __slots__ = ("payload",)
    end = DONE
    media = EVENTS

    def __init__(self, payload: dict[str, Any], body: bytes, exchange: Exchange) -> None:
        self.payload: Mapping[str, Any] = payload

    def headers(self, exchange: Exchange) -> Sequence[Header]:
        """None besides the common ones."""
        return ()

    def whole(self, answer: Answer) -> bytes:
        """The payload as it is."""
        return orjson.dumps(answer.payload)

    def events(self, answer: EventStream) -> AsyncIterable[bytes]:
        """The events as they are."""
        return answer

    def failure(self, error: GatewayError) -> bytes:
        """OpenAI's error event."""
        return event_of(error)


class Reads(Protocol):
    """Reads a request: its body parsed, with the options of its headers in `gateway`, and as it came. Raises InvalidInput."""

    def __call__(self, payload: dict[str, Any], body: bytes, exchange: Exchange) -> Form:
        """The form."""


def chat_route(gateway: "Gateway", body_limit: int) -> Route:
    """The route of OpenAI's chat completions."""
    return route_for(PATH, ChatCompletion, gateway, body_limit)


Ready = Callable[[Mapping[str, Any], Exchange], Awaitable[bytes | None]]
"""Answers what comes to the path of a form without asking for a chat; None where it does."""


def route_for(path: str, reads: Reads, gateway: "Gateway", body_limit: int, *, ready: Ready | None = None) -> Route:
    """The route of one form of chats."""
    application = _application(reads, gateway, ready)
    return Route(path=path, methods={"POST": application}, body_limit=body_limit)


def _application(reads: Reads, gateway: "Gateway", ready: Ready | None) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        body = await read_body(receive)
        payload = parse_object(body)
        if ready is not None and (told := await ready(payload, exchange)) is not None:
            await send_json(scope, send, told)
            return
        merge_options(payload, exchange)
        form = reads(payload, body, exchange)
        stream = form.payload.get("stream") is True
        caller = exchange.caller
        if caller.tokens_per_minute:
            caller = replace(caller, meter=Meter())
        try:
            with CancelWhenGone(receive, scope.get("state", {}).get(CONNECTION)):
                if stream:
                    async with dispatch.open_stream(gateway, caller, CHAT_STREAM, form.payload) as answer:
                        exchange.added.extend(token_headers(caller.meter))
                        headers = [*headers_of(answer.route), *form.headers(exchange)]
                        events = form.events(answer)
                        await send_events(scope, send, events, headers, form.media, failure=form.failure, end=form.end)
                else:
                    whole = await dispatch.call(gateway, caller, CHAT, form.payload)
                    exchange.added.extend(token_headers(caller.meter))
                    headers = [*headers_of(whole.route), _cost(whole.route), *form.headers(exchange)]
                    await send_json(scope, send, form.whole(whole), headers=headers)
        except GatewayError as error:
            exchange.failed_over = isinstance(error, UpstreamError | Unavailable)
            if not exchange.status:
                exchange.added.extend(token_headers(caller.meter))
                exchange.added.extend(form.headers(exchange))
            raise

    return application


def headers_of(route: "ModelRoute") -> list[Header]:
    """How an answer came about, as far as it is known when its headers go out."""
    model = route.model
    headers = [
        (b"x-gateway-model", model.id.encode("ascii")),
        (b"x-gateway-provider", model.provider.encode("ascii")),
        (b"x-gateway-layer", model.layer.encode("ascii")),
        (b"x-gateway-attempts", b"%d" % route.attempts),
        (b"x-gateway-cache", route.cache.encode("ascii")),
    ]
    if route.notice:
        headers.append((b"x-gateway-notice", route.notice.encode("ascii", "replace")))
    return headers if route.age is None else [*headers, (b"age", b"%d" % route.age)]


def _cost(route: "ModelRoute") -> Header:
    return (b"x-gateway-cost-usd", UNKNOWN if route.cost is None else f"{route.cost:f}".encode("ascii"))


def merge_options(payload: dict[str, Any], exchange: Exchange) -> None:
    """Put what the headers say under what the body says itself. Raises InvalidInput."""
    if OPTION_HEADERS.isdisjoint(exchange.headers):
        return
    options = {**_cache_control(exchange), **named_options(exchange.headers), **_header_options(exchange)}
    if not options:
        return
    own = payload.get("gateway")
    if own is None:
        payload["gateway"] = options
    elif isinstance(own, dict):
        payload["gateway"] = {**options, **own}


def _header_options(exchange: Exchange) -> dict[str, Any]:
    header = exchange.headers.get(OPTIONS_HEADER)
    if header is None:
        return {}
    try:
        options = orjson.loads(header)
    except orjson.JSONDecodeError:
        options = None
    if not isinstance(options, dict):
        raise invalid_field("X-Gateway-Options", "it must be a JSON object")
    return options


def _cache_control(exchange: Exchange) -> dict[str, str]:
    header = exchange.headers.get(b"cache-control")
    return {"cacheControl": header.decode("latin-1")[:MOST_CACHE_CONTROL]} if header else {}
