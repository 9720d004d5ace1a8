"""An answer as it is kept: what came back, and what is needed to tell it again. Pure."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.providers.server_sent_events import encode, payload, split
from shared.routing.answers import Answer, EventStream, Route

FINISHED = frozenset({"stop", "tool_calls", "function_call"})
"""An answer that its length cut is not kept: asked again, it may come to its end."""

READ = 8 * 1024
"""About how many bytes of a kept stream are sent at once."""

FREE = Decimal(0)

# in JSON neither can be part of a text, whose quotation marks would be escaped
FINISH_REASON = re.compile(rb'"finish_reason"\s*:\s*"(\w*)"')
CONTENT = re.compile(rb'"(?:content|text|arguments)"\s*:\s*"[^"]')


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """A good answer. `body` is its payload or its events, with a cost of nothing in it; `cost` is what it did cost.

    `runs` are the lengths in which events are sent again; a whole answer has none.
    """

    made: datetime
    model_id: str
    provider: str
    api_model_name: str
    layer: str
    usage: Usage
    cost: Decimal | None
    notes: dict[str, Any] = field(default_factory=dict)
    runs: tuple[int, ...] = ()
    body: bytes

    @classmethod
    def of_whole(cls, answer: Answer, made: datetime) -> "CachedAnswer | None":
        """A whole answer; None when it is not good enough to be told again."""
        told = {"usage": answer.usage.to_openai(), **answer.payload}
        body = orjson.dumps(_free(told))
        choices = answer.payload.get("choices") or ()
        return cls._of(answer.route, answer.usage, made, body, ()) if _good(body, len(choices)) else None

    @classmethod
    def of_events(
        cls, runs: Sequence[bytes], usage: Usage, route: Route, made: datetime, choices: int
    ) -> "CachedAnswer | None":
        """A stream that came to its end, as the runs it came in; None when it is not good enough to be told again."""
        ending = _ending(runs[-1])
        if ending is None:
            return None
        joined = _joined([*runs[:-1], ending])
        body = b"".join(joined)
        lengths = tuple(len(run) for run in joined)
        return cls._of(route, usage, made, body, lengths) if _good(body, choices) else None

    @classmethod
    def _of(cls, route: Route, usage: Usage, made: datetime, body: bytes, runs: tuple[int, ...]) -> "CachedAnswer":
        model = route.model
        return cls(
            made=made,
            model_id=model.id,
            provider=model.provider,
            api_model_name=model.api_model_name,
            layer=model.layer,
            usage=usage,
            cost=route.cost,
            notes=dict(route.notes),
            runs=runs,
            body=body,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "CachedAnswer | None":
        """As `to_bytes` wrote it; None for anything else."""
        head, _, body = data.partition(b"\n")
        try:
            facts = orjson.loads(head)
            facts["made"] = datetime.fromisoformat(facts["made"])
            facts["usage"] = Usage(**facts["usage"])
            facts["cost"] = None if facts["cost"] is None else Decimal(facts["cost"])
            facts["runs"] = tuple(facts["runs"])
            found = cls(**facts, body=body)
            complete = not found.runs or sum(found.runs) == len(body)
        except (ValueError, TypeError, KeyError, ArithmeticError):
            return None
        return found if complete else None

    def to_bytes(self) -> bytes:
        """One line of JSON, and the body."""
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "body"}
        facts["usage"] = asdict(self.usage)
        return orjson.dumps(facts, default=str) + b"\n" + self.body

    def made_by(self, model: Model) -> bool:
        """Whether the model is still what it was when it gave this answer."""
        return (model.id, model.provider, model.api_model_name, model.layer) == (
            self.model_id,
            self.provider,
            self.api_model_name,
            self.layer,
        )

    def whole(self, route: Route) -> Answer:
        """The answer again, its payload the taker's own."""
        return Answer(orjson.loads(self.body), self.usage, route)


class Recording:
    """A stream on its way to whom it is for, kept as it passes, up to `largest` bytes."""

    def __init__(self, events: EventStream, largest: int) -> None:
        self.route = events.route
        self.usage: Usage | None = None
        self.ended = False
        self._events = events
        self._room = largest
        self._runs: list[bytes] = []

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for run in self._events:
            self._room -= len(run)
            if self._room >= 0:
                self._runs.append(run)
            else:
                self._runs.clear()
            yield run
        self.usage = self._events.usage
        self.route.cost = self._events.route.cost
        self.ended = True

    def answer(self, made: datetime, choices: int) -> CachedAnswer | None:
        """What may be kept of it."""
        if not self.ended or not self._runs or self.usage is None:
            return None
        return CachedAnswer.of_events(self._runs, self.usage, self.route, made, choices)


class Replay:
    """A kept stream, told again in reads of whole events."""

    def __init__(self, kept: CachedAnswer, route: Route) -> None:
        self.route = route
        self.usage: Usage | None = None
        self._kept = kept

    async def __aiter__(self) -> AsyncIterator[bytes]:
        start = 0
        for length in self._kept.runs:
            run = self._kept.body[start : start + length]
            self.route.said.add(run)
            yield run
            start += length
        self.usage = self._kept.usage


def _good(body: bytes, choices: int) -> bool:
    """Whether it says something, and each of so many choices came to an end of its own."""
    reasons = [found.decode("ascii") for found in FINISH_REASON.findall(body)]
    return len(reasons) >= max(choices, 1) and FINISHED.issuperset(reasons) and CONTENT.search(body) is not None


def _joined(runs: Sequence[bytes]) -> list[bytes]:
    """The same in fewer and longer runs."""
    joined = [bytearray()]
    for run in runs:
        if len(joined[-1]) >= READ:
            joined.append(bytearray())
        joined[-1] += run
    return [bytes(run) for run in joined]


def _ending(run: bytes) -> bytes | None:
    """The last run, with a cost of nothing in its last event; None when that is not the one with the usage."""
    events = split(run)
    try:
        told = orjson.loads((payload(events.pop()) if events else None) or b"")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("usage"), dict):
        return None
    return b"".join(b"%b\n\n" % event for event in events) + encode(orjson.dumps(_free(told)))


def _free(told: dict[str, Any]) -> dict[str, Any]:
    """A payload or last event with a cost of nothing in it."""
    costs = {"usage": "cost", "gateway": "costUsd"}
    return {
        name: {**value, costs[name]: float(FREE)} if name in costs and isinstance(value, dict) else value
        for name, value in told.items()
    }
