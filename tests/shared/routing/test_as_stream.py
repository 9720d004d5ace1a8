"""A whole answer as a stream: the same answer, in OpenAI's events."""

from decimal import Decimal
from typing import Any

import orjson

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.providers.server_sent_events import payloads
from shared.routing.answers import Answer, Route
from shared.routing.as_stream import WholeAsStream

MODEL = Model(id="m", provider="openai", api_model_name="m", layer="L0")
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def whole(*messages: dict[str, Any], **more: Any) -> Answer:
    choices = [
        {"index": number, "message": {"role": "assistant", **message}, "finish_reason": "stop", "logprobs": None}
        for number, message in enumerate(messages)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.5}
    payload = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return Answer({**payload, **more}, Usage(prompt=3, completion=2), Route(MODEL, 1, Decimal("0.5")))


async def events(answer: Answer, *, include_usage: bool = True) -> list[dict[str, Any]]:
    data = b"".join([run async for run in WholeAsStream(answer, include_usage=include_usage)])
    return [orjson.loads(event) for event in payloads(data)]


async def test_text_end_and_usage_come_in_events_of_one_identity() -> None:
    found = await events(whole({"content": "hello"}, system_fingerprint="fp"))
    assert {(event["id"], event["model"], event["object"], event["system_fingerprint"]) for event in found} == {
        ("x", "m", "chat.completion.chunk", "fp")
    }
    first, end, last = found
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "hello"}
    assert first["choices"][0]["finish_reason"] is None
    assert end["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert last["choices"] == []
    assert last["usage"]["cost"] == 0.5


async def test_tool_calls_are_numbered_and_every_choice_is_there() -> None:
    found = await events(whole({"content": None, "tool_calls": [CALL, CALL]}, {"content": "b"}))
    deltas = [event["choices"][0] for event in found[:-1]]
    assert [call["index"] for call in deltas[0]["delta"]["tool_calls"]] == [0, 1]
    assert [choice["index"] for choice in deltas] == [0, 0, 1, 1]


async def test_what_checks_found_is_in_the_last_event() -> None:
    found = await events(whole({"content": "a"}, gateway={"costUsd": 0.5}), include_usage=False)
    assert found[-1]["gateway"] == {"costUsd": 0.5}
    assert found[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]
    assert all("gateway" not in event for event in found[:-1])
