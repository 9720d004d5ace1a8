"""POST /v1/responses: chats as OpenAI's Responses API asks for them, Codex among its clients."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import Receive, Scope, Send

from http_api.context import Exchange, Route
from http_api.errors import Header, HttpError, response_error
from http_api.routes.chat import Reads, route_for
from http_api.streaming import EVENTS
from shared.dialects.responses.answer import Asked, new_id, repeated, response_of, wants_sealed
from shared.dialects.responses.request import own_items, to_chat, toolbox_of
from shared.dialects.responses.sealing import Sealing
from shared.dialects.responses.stream import ResponseStream
from shared.domain.chat import Native, Translated
from shared.errors import GatewayError
from shared.routing.answers import Answer, EventStream

if TYPE_CHECKING:
    from shared.gateway import Gateway

PATH = "/v1/responses"


class ResponseForm:
    """A request for the Responses API."""

    __slots__ = ("_asked", "_stream", "payload")
    end = b""
    media = EVENTS

    def __init__(self, payload: Mapping[str, Any], asked: Asked) -> None:
        self.payload = payload
        self._asked = asked
        self._stream = ResponseStream(asked)

    def headers(self, exchange: Exchange) -> Sequence[Header]:
        """None besides the common ones."""
        return ()

    def whole(self, answer: Answer) -> bytes:
        """The response in one piece."""
        return answer.native or orjson.dumps(response_of(self._asked, answer.payload))

    def events(self, answer: EventStream) -> AsyncIterable[bytes]:
        """The events of a response."""
        return answer if answer.route.native else self._translated(answer)

    async def _translated(self, answer: EventStream) -> AsyncIterator[bytes]:
        async for run in answer:
            if events := self._stream.feed(run):
                yield events
        yield self._stream.finish()

    def failure(self, error: GatewayError) -> bytes:
        """The event that ends a response which failed."""
        return self._stream.failed(response_error(error))


def routes(gateway: "Gateway", body_limit: int) -> Sequence[Route]:
    """The routes of the Responses API."""
    sealing = Sealing(gateway.secrets.seal, gateway.secrets.open)
    return (route_for(PATH, _reads(gateway, sealing), gateway, body_limit),)


def _reads(gateway: "Gateway", sealing: Sealing) -> Reads:
    def reads(payload: dict[str, Any], body: bytes, exchange: Exchange) -> ResponseForm:
        items = own_items(payload)
        toolbox = toolbox_of(payload, items)
        asked = Asked(
            identity=new_id(),
            created_at=int(gateway.clock().timestamp()),
            fields=repeated(payload),
            toolbox=toolbox,
            sealing=sealing,
            sealed=wants_sealed(payload),
        )
        own = {name: value for name, value in payload.items() if name != "gateway"}
        chat = to_chat(payload, toolbox, items, sealing)
        return ResponseForm(Translated(chat, Native("responses", body, own, {})), asked)

    return reads


class NoSocket:
    """Refuses to speak over WebSockets, so that clients use HTTP at once; after a 404 they would try several times."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HttpError(
            426,
            "upgrade_required",
            "Responses are not given over WebSockets here. Send POST /v1/responses, with 'stream: true' for events.",
        )
