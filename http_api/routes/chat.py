"""POST /v1/chat/completions: OpenAI's chat, whole or streamed."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import parse_object, read_body
from http_api.chat_headers import named_options, token_headers
from http_api.context import Exchange, Route, exchange_of
from http_api.disconnect import CancelWhenGone
from http_api.errors import Header
from http_api.metrics import Metrics
from http_api.protocol import CONNECTION
from http_api.responses import send_json
from http_api.streaming import send_events
from shared.domain.usage import Meter
from shared.errors import GatewayError, Unavailable, UpstreamError, invalid_field
from shared.operations import dispatch
from shared.operations.chat import CHAT, CHAT_STREAM

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.routing.answers import Route as ModelRoute

PATH = "/v1/chat/completions"
OPTIONS_HEADER = b"x-gateway-options"
UNKNOWN = b"unknown"
MOST_CACHE_CONTROL = 1000
OPERATIONS = (CHAT, CHAT_STREAM)


def chat_route(gateway: "Gateway", metrics: Metrics, body_limit: int) -> Route:
    """The route of the chat."""
    return Route(path=PATH, methods={"POST": _application(gateway, metrics)}, body_limit=body_limit)


def _application(gateway: "Gateway", metrics: Metrics) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        payload = parse_object(await read_body(receive))
        merge_options(payload, exchange)
        stream = payload.get("stream") is True
        caller = exchange.caller
        if caller.tokens_per_minute:
            caller = replace(caller, meter=Meter())
        started = time.perf_counter()
        try:
            with CancelWhenGone(receive, scope.get("state", {}).get(CONNECTION)):
                if stream:
                    async with dispatch.open_stream(gateway, caller, CHAT_STREAM, payload) as answer:
                        exchange.added.extend(token_headers(caller.meter))
                        await send_events(scope, send, answer, headers_of(answer.route))
                else:
                    whole = await dispatch.call(gateway, caller, CHAT, payload)
                    exchange.added.extend(token_headers(caller.meter))
                    headers = [*headers_of(whole.route), _cost(whole.route)]
                    await send_json(scope, send, orjson.dumps(whole.payload), headers=headers)
        except GatewayError as error:
            exchange.failed_over = isinstance(error, UpstreamError | Unavailable)
            if not exchange.status:
                exchange.added.extend(token_headers(caller.meter))
            raise
        metrics.chatted(time.perf_counter() - started, stream=stream)

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
