"""An answer as it is kept."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.routing.answers import Answer, Route
from shared.routing.caching.cached_answer import READ, CachedAnswer, Recording, Replay

MADE = datetime(2026, 11, 24, 6, 0, 0, 123456, tzinfo=UTC)
MODEL = Model(id="p/m", provider="p", api_model_name="m", layer="L1")
USED = Usage(prompt=5, completion=7, cached=2, reasoning=1)


def whole(finish: Any = "stop", **message: Any) -> Answer:
    message = message or {"role": "assistant", "content": "hello"}
    payload = {
        "id": "x",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "cost": 0.5},
    }
    return Answer(payload, USED, Route(MODEL, 3, Decimal("0.50"), notes={"agreement": {"agreed": True}}))


def event(finish: str | None = None, text: str = "hello", index: int = 0) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "x", "choices": [choice]}) + b"\n\n"


LAST = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":5,"cost":0.5}}\n\n'
FREE = b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":5,"cost":0.0}}\n\n'


class Events:
    """A stream of the test's own."""

    def __init__(self, *runs: bytes) -> None:
        self.route = Route(MODEL, 3, Decimal("0.5"))
        self.usage: Usage | None = None
        self._runs = runs

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for run in self._runs:
            yield run
        self.usage = USED


async def recorded(*runs: bytes, largest: int = 100_000, choices: int = 1) -> CachedAnswer | None:
    recording = Recording(Events(*runs), largest)
    assert recording.answer(MADE, choices) is None
    assert [run async for run in recording] == list(runs)
    assert recording.usage == USED
    return recording.answer(MADE, choices)


def kept(answer: Answer | None = None) -> CachedAnswer:
    found = CachedAnswer.of_whole(answer or whole(), MADE)
    assert found is not None
    return found


def test_a_whole_answer_is_told_again_at_no_cost() -> None:
    found = kept()
    assert (found.cost, found.made, found.runs) == (Decimal("0.50"), MADE, ())
    again = found.whole(Route(MODEL, 0, Decimal(0)))
    assert again.payload == {**whole().payload, "usage": {"prompt_tokens": 5, "cost": 0.0}}
    assert again.usage == USED


def test_what_one_taker_does_to_his_answer_no_other_sees() -> None:
    found = kept()
    found.whole(Route(MODEL, 0)).payload["choices"].clear()
    assert found.whole(Route(MODEL, 0)).payload["choices"]


def test_keeping_an_answer_leaves_it_as_it_was() -> None:
    answer = whole()
    kept(answer)
    assert answer.payload == whole().payload


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call"])
def test_an_answer_that_came_to_its_end_is_good(finish: str) -> None:
    assert kept(whole(finish))


@pytest.mark.parametrize("finish", ["content_filter", "error", "", None, 5])
def test_any_other_end_is_not(finish: Any) -> None:
    assert CachedAnswer.of_whole(whole(finish), MADE) is None


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [{"message": {"content": "hello"}}]},
        {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": '"finish_reason":"stop"'}, "finish_reason": None}]},
        {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}, {"message": {"content": "b"}}]},
        {"error": {"message": "x"}},
    ],
)
def test_what_says_nothing_or_not_all_is_not_kept(payload: dict[str, Any]) -> None:
    assert CachedAnswer.of_whole(Answer(payload, USED, Route(MODEL, 1)), MADE) is None


async def test_a_stream_is_told_again_byte_for_byte_but_for_its_cost() -> None:
    runs = [event(text="a"), event(text="b") + event("stop", ""), LAST]
    found = await recorded(*runs)
    assert found is not None
    replay = Replay(found, Route(MODEL, 0))
    assert replay.usage is None
    assert b"".join([run async for run in replay]) == b"".join(runs[:-1]) + FREE
    assert replay.usage == USED


async def test_a_usage_event_that_came_together_with_others_loses_its_cost_too() -> None:
    found = await recorded(event("stop") + LAST)
    assert found is not None
    assert found.body == event("stop") + FREE


async def test_a_long_stream_is_told_in_several_reads_of_whole_events() -> None:
    runs = [event(text=f"word{number} ") for number in range(5000)]
    found = await recorded(*runs, event("stop", ""), LAST, largest=10**6)
    assert found is not None
    reads = [run async for run in Replay(found, Route(MODEL, 0))]
    assert b"".join(reads) == b"".join(runs) + event("stop", "") + FREE
    assert len(reads) > 10
    assert all(read.endswith(b"\n\n") and read.startswith(b"data: ") for read in reads)
    assert max(len(read) for read in reads) < READ + 1000


async def test_a_stream_larger_than_what_is_kept_passes_whole() -> None:
    assert await recorded(event(text="x" * 500), event("stop", "y" * 500), LAST, largest=900) is None


async def test_streams_that_did_not_end_well_are_not_kept() -> None:
    assert await recorded(LAST) is None
    assert await recorded(event(), LAST) is None
    assert await recorded(event("content_filter"), LAST) is None
    assert await recorded(event("stop", ""), LAST) is None
    assert await recorded(event(), event("stop", index=0), event("error", index=1), LAST) is None
    assert await recorded(event("stop"), LAST, choices=2) is None
    for ending in (
        b"",
        b"\n\n",
        b": comment\n\n",
        b"data: [DONE]\n\n",
        b"data: 5\n\n",
        b"data: {}\n\n",
        LAST + b": x\n\n",
    ):
        assert await recorded(event("stop"), ending) is None
    assert await recorded(event("stop"), event("stop", index=1), LAST, choices=2) is not None


async def test_a_stream_that_is_left_is_not_kept() -> None:
    recording = Recording(Events(event(), event("stop"), LAST), 1000)
    async for _ in recording:
        break
    assert recording.answer(MADE, 1) is None


async def test_it_survives_being_written() -> None:
    stream = await recorded(event("stop"), LAST)
    assert stream is not None
    for found in (kept(), stream, kept(whole(content="a\nb\r\n\u2028"))):
        assert CachedAnswer.from_bytes(found.to_bytes()) == found


async def test_anything_else_is_not_taken_for_one() -> None:
    stream = await recorded(event("stop"), LAST)
    assert stream is not None
    data = stream.to_bytes()
    head, _, body = data.partition(b"\n")
    facts = orjson.loads(head)
    wrong = [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n{}",
        b"\xff" + data,
        data[:-1],
        *(
            orjson.dumps({**facts, name: bad}) + b"\n" + body
            for name in ("made", "usage", "cost", "runs")
            for bad in ("x", [5])
        ),
        *(
            orjson.dumps({k: v for k, v in facts.items() if k != name}) + b"\n" + body
            for name in ("made", "usage", "layer")
        ),
        orjson.dumps({**facts, "more": 1}) + b"\n" + body,
    ]
    for bad in wrong:
        assert CachedAnswer.from_bytes(bad) is None, bad


@pytest.mark.parametrize("change", [{"provider": "q"}, {"api_model_name": "n"}, {"layer": "L2"}, {"id": "p/n"}])
def test_a_model_that_became_another_one_did_not_give_it(change: dict[str, Any]) -> None:
    assert kept().made_by(MODEL.model_copy(update={"relative_cost": 5, "priority": 3}))
    assert not kept().made_by(MODEL.model_copy(update=change))
