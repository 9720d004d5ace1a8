"""POST /v1/messages and /v1/messages/count_tokens: chats as Anthropic's clients ask for them, Claude Code among them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import parse_object, read_body
from http_api.context import Exchange, Route, exchange_of
from http_api.errors import Header, anthropic_error
from http_api.responses import send_json
from http_api.routes.chat import route_for
from http_api.streaming import EVENTS
from shared.dialects.messages.answer import message_of
from shared.dialects.messages.request import to_chat, tool_names
from shared.dialects.messages.stream import MessageStream
from shared.dialects.tool_names import long_names
from shared.domain.chat import CHARACTERS_PER_TOKEN, Native, Translated
from shared.errors import GatewayError
from shared.operations import dispatch
from shared.operations.token_count import COUNT_TOKENS
from shared.routing.answers import Answer, EventStream

if TYPE_CHECKING:
    from shared.gateway import Gateway

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
PASSED_ON = ("anthropic-version", "anthropic-beta")
LIMITS: Mapping[bytes, bytes] = {
    b"x-ratelimit-limit": b"anthropic-ratelimit-requests-limit",
    b"x-ratelimit-remaining": b"anthropic-ratelimit-requests-remaining",
    b"x-ratelimit-reset": b"anthropic-ratelimit-requests-reset",
    b"x-ratelimit-limit-tokens": b"anthropic-ratelimit-tokens-limit",
    b"x-ratelimit-remaining-tokens": b"anthropic-ratelimit-tokens-remaining",
    b"x-ratelimit-reset-tokens": b"anthropic-ratelimit-tokens-reset",
}
"""Our headers about limits, and the names that Anthropic's clients know."""


class MessageForm:
    """A request for Anthropic's Messages API."""

    __slots__ = ("_names", "_prompt_tokens", "_request_id", "payload")
    end = b""
    media = EVENTS

    def __init__(self, payload: dict[str, Any], body: bytes, exchange: Exchange) -> None:
        native = _native(payload, body, exchange)
        self.payload: Mapping[str, Any] = Translated(to_chat(payload), native)
        self._names = long_names(tool_names(payload))
        self._prompt_tokens = len(body) // CHARACTERS_PER_TOKEN
        self._request_id = exchange.request_id

    def headers(self, exchange: Exchange) -> Sequence[Header]:
        """The request's id and its limits, under Anthropic's names."""
        limits = [(LIMITS[name], _limit(name, value)) for name, value in exchange.added if name in LIMITS]
        return [(b"request-id", exchange.request_id.encode("ascii")), *limits]

    def whole(self, answer: Answer) -> bytes:
        """A message; as the provider gave it where that speaks the same dialect."""
        return answer.native or orjson.dumps(message_of(answer.payload, self._names))

    async def events(self, answer: EventStream) -> AsyncIterator[bytes]:
        """The events of a message; as they came where the provider speaks the same dialect."""
        if answer.route.native:
            async for run in answer:
                yield run
            return
        stream = MessageStream(self._names, prompt_tokens=self._prompt_tokens)
        async for run in answer:
            if events := stream.feed(run):
                yield events
        yield stream.finish()

    def failure(self, error: GatewayError) -> bytes:
        """Anthropic's error event."""
        return b"event: error\ndata: " + anthropic_error(error, self._request_id) + b"\n\n"


def routes(gateway: "Gateway", body_limit: int) -> Sequence[Route]:
    """The routes of the Messages API. Counting tokens is free of the rate limits: clients do it many times at once."""
    count = Route(path=COUNT_PATH, methods={"POST": _counting(gateway)}, body_limit=body_limit, limited=False)
    return (route_for(PATH, MessageForm, gateway, body_limit), count)


def _counting(gateway: "Gateway") -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        body = await read_body(receive)
        payload = parse_object(body)
        native = _native(payload, body, exchange)
        chat = Translated(to_chat({"max_tokens": 1, **payload}), native)
        found = await dispatch.call(gateway, exchange.caller, COUNT_TOKENS, chat)
        headers = [(b"request-id", exchange.request_id.encode("ascii"))]
        await send_json(scope, send, b'{"input_tokens":%d}' % found.tokens, headers=headers)

    return application


def _native(payload: Mapping[str, Any], body: bytes, exchange: Exchange) -> Native:
    headers = {
        name: value.decode("latin-1")
        for name in PASSED_ON
        if (value := exchange.headers.get(name.encode("ascii"))) is not None
    }
    own = {name: value for name, value in payload.items() if name != "gateway"}
    return Native("messages", body, own, headers)


def _limit(name: bytes, value: bytes) -> bytes:
    """The value of a limit's header; where it is a time, as Anthropic writes it."""
    if b"-reset" not in name:
        return value
    return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")
