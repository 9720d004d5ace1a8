"""Ollama's API, for clients that know no other: its chats, and the models of the gateway as those of an Ollama server."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.bodies import parse_object, read_body
from http_api.context import Exchange, Route, exchange_of
from http_api.errors import Header
from http_api.responses import send_json
from http_api.routes.chat import Reads, Ready, route_for
from http_api.streaming import LINES
from shared.dialects.ollama.answer import Asked, Kind, LineStream, Spent, line, loaded, whole_of
from shared.dialects.ollama.models import VERSION, shown, tag_of
from shared.dialects.ollama.request import chat_of, name_of, only_loads, prompt_of, tool_names
from shared.dialects.tool_names import long_names
from shared.domain.chat import Native, Translated
from shared.domain.usage import Usage
from shared.errors import GatewayError
from shared.operations import dispatch
from shared.operations.models import GET_MODEL, LIST_MODELS

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.routing.answers import Answer, EventStream

CHAT_PATH = "/api/chat"
GENERATE_PATH = "/api/generate"
TAGS_PATH = "/api/tags"
SHOW_PATH = "/api/show"
VERSION_PATH = "/api/version"
TAG = ":latest"
"""What Ollama's clients may put behind a name that has no tag."""

Translate = Callable[[Mapping[str, Any]], dict[str, Any]]


class OllamaForm:
    """A request for Ollama's API, answered in lines of JSON unless it wants one piece."""

    __slots__ = ("_asked", "_started", "payload")
    end = b""
    media = LINES

    def __init__(self, payload: Mapping[str, Any], asked: Asked, started: float) -> None:
        self.payload = payload
        self._asked = asked
        self._started = started

    def headers(self, exchange: Exchange) -> Sequence[Header]:
        """None besides the common ones."""
        return ()

    def whole(self, answer: "Answer") -> bytes:
        """The answer in one piece."""
        return orjson.dumps(whole_of(self._asked, answer.payload, answer.usage, Spent(self._elapsed())))

    async def events(self, answer: "EventStream") -> AsyncIterator[bytes]:
        """The lines of an answer."""
        stream = LineStream(self._asked)
        first = 0
        async for run in answer:
            if lines := stream.feed(run):
                first = first or self._elapsed()
                yield lines
        yield stream.finish(answer.usage or Usage(), Spent(self._elapsed(), first))

    def failure(self, error: GatewayError) -> bytes:
        """The line that ends a stream which failed."""
        return line({"error": error.message})

    def _elapsed(self) -> int:
        return int((time.perf_counter() - self._started) * 1e9)


def routes(gateway: "Gateway", body_limit: int) -> Sequence[Route]:
    """The routes of Ollama's API."""

    def chats(path: str, kind: Kind, translate: Translate) -> Route:
        return route_for(path, _reads(gateway, kind, translate), gateway, body_limit, ready=_loading(gateway, kind))

    return (
        chats(CHAT_PATH, "chat", chat_of),
        chats(GENERATE_PATH, "generate", prompt_of),
        Route(path=TAGS_PATH, methods={"GET": _tags(gateway)}),
        Route(path=SHOW_PATH, methods={"POST": _show(gateway)}),
        Route(path=VERSION_PATH, methods={"GET": _version}),
    )


def _reads(gateway: "Gateway", kind: Kind, translate: Translate) -> Reads:
    def reads(payload: dict[str, Any], body: bytes, exchange: Exchange) -> OllamaForm:
        chat = translate(payload)
        own = {name: value for name, value in payload.items() if name != "gateway"}
        asked = _asked(gateway, kind, payload)
        chat["model"] = _registered(gateway, chat["model"])
        return OllamaForm(Translated(chat, Native("ollama", body, own, {})), asked, exchange.started)

    return reads


def _loading(gateway: "Gateway", kind: Kind) -> Ready:
    """Answer requests that only load a model, for which nothing is done but to see that there is one."""

    async def ready(payload: Mapping[str, Any], exchange: Exchange) -> bytes | None:
        if not only_loads(payload):
            return None
        await dispatch.call(gateway, exchange.caller, GET_MODEL, {"id": _registered(gateway, name_of(payload))})
        return orjson.dumps(loaded(_asked(gateway, kind, payload), unload=payload.get("keep_alive") in (0, "0")))

    return ready


def _tags(gateway: "Gateway") -> ASGIApp:
    """List the models that can answer now, and the names that routing turns into one."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        found = await dispatch.call(gateway, exchange_of(scope).caller, LIST_MODELS, {})
        models = [model for model in found.data if model.virtual or gateway.naming.can_answer(model)]
        await send_json(scope, send, orjson.dumps({"models": [tag_of(model) for model in models]}))

    return application


def _show(gateway: "Gateway") -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        name = _registered(gateway, name_of(parse_object(await read_body(receive))))
        model = await dispatch.call(gateway, exchange_of(scope).caller, GET_MODEL, {"id": name})
        await send_json(scope, send, orjson.dumps(shown(model)))

    return application


async def _version(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, orjson.dumps({"version": VERSION}))


def _asked(gateway: "Gateway", kind: Kind, payload: Mapping[str, Any]) -> Asked:
    now = datetime.fromtimestamp(gateway.clock().timestamp(), UTC)
    return Asked(
        kind=kind,
        model=name_of(payload),
        created_at=now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        names=long_names(tool_names(payload)),
    )


def _registered(gateway: "Gateway", name: str) -> str:
    """The name without the tag that clients put behind it, where no model has one."""
    return name if gateway.registry.snapshot.named(name) else name.removesuffix(TAG)
