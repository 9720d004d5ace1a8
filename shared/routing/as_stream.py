"""A whole answer sent as a stream, for what could only be judged once it was whole. Pure."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson

from shared.domain.usage import Usage
from shared.providers.server_sent_events import encode
from shared.routing.answers import Answer, Route

NOT_OF_A_CHUNK = frozenset({"object", "choices", "usage", "gateway"})


class WholeAsStream:
    """A whole answer as an EventStream: one event for each choice's content, one for its end, the usage last."""

    def __init__(self, answer: Answer, *, include_usage: bool) -> None:
        self.route: Route = answer.route
        self.usage: Usage | None = None
        self._answer = answer
        self._include_usage = include_usage

    async def __aiter__(self) -> AsyncIterator[bytes]:
        payload = self._answer.payload
        for event in _events(payload):
            run = encode(orjson.dumps(event))
            self.route.said.add(run)
            yield run
        self.usage = self._answer.usage
        last = {**_head(payload), "choices": [], "usage": payload.get("usage")}
        if not self._include_usage:
            last["choices"] = [{"index": 0, "delta": {}, "finish_reason": None}]
        if "gateway" in payload:
            last["gateway"] = payload["gateway"]
        run = encode(orjson.dumps(last))
        self.route.said.add(run)
        yield run


def _events(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for choice in payload["choices"]:
        more = {name: value for name, value in choice.items() if name not in ("message", "finish_reason")}
        yield {**_head(payload), "choices": [{**more, "delta": _delta(choice["message"]), "finish_reason": None}]}
        ended = {"index": choice.get("index", 0), "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        yield {**_head(payload), "choices": [ended]}


def _head(payload: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in payload.items() if name not in NOT_OF_A_CHUNK}
    return {**kept, "object": "chat.completion.chunk"}


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as one delta: its tool calls are numbered there."""
    delta = {name: value for name, value in message.items() if value is not None}
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    return delta
