"""What servers get wrong in good answers comes out right."""

from typing import Any

import orjson
import pytest

from shared.providers.openai.decode import completion
from shared.providers.openai.stream import StreamDecoder
from shared.providers.server_sent_events import payloads

CALL = {"id": "call-1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def whole(message: dict[str, Any], reason: str | None) -> dict[str, Any]:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}
    choice: dict[str, Any] = completion("own", orjson.dumps(body), "model").payload["choices"][0]
    return choice


def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
    body = {"id": "c", "created": 5, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def streamed(*blocks: bytes) -> list[dict[str, Any]]:
    decoder = StreamDecoder("own", "m")
    data = b"".join(decoder.feed(block).data for block in blocks) + decoder.finish().data
    return [orjson.loads(found) for found in payloads(data)]


@pytest.mark.parametrize("reason", ["stop", None])
def test_a_whole_answer_that_calls_a_tool_finishes_by_it(reason: str | None) -> None:
    assert whole({"content": None, "tool_calls": [CALL]}, reason)["finish_reason"] == "tool_calls"


def test_a_whole_answer_has_a_finish_reason_and_keeps_its_own() -> None:
    assert whole({"content": "hi"}, None)["finish_reason"] == "stop"
    assert whole({"content": "hi"}, "length")["finish_reason"] == "length"


def test_a_stream_that_calls_a_tool_finishes_by_it() -> None:
    events = streamed(event({"tool_calls": [{"index": 0, **CALL}]}), event({}, "stop"), b"data: [DONE]\n\n")
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_tool_calls_without_a_number_get_theirs() -> None:
    more = {"function": {"arguments": " "}}
    events = streamed(
        event({"content": "let me look"}),
        event({"tool_calls": [CALL]}),
        event({"tool_calls": [more]}),
        event({"tool_calls": [{**CALL, "id": "call-2"}]}),
        event({"tool_calls": [more]}),
        event({}, "tool_calls"),
        b"data: [DONE]\n\n",
    )
    calls = [call for found in events for call in found["choices"][0]["delta"].get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 0, 1, 1]


@pytest.mark.parametrize(("delta", "reason"), [({"content": "hi"}, "stop"), ({"tool_calls": [CALL]}, "tool_calls")])
def test_a_stream_without_a_finish_reason_gets_one(delta: dict[str, Any], reason: str) -> None:
    events = streamed(event(delta), b"data: [DONE]\n\n")
    assert events[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": reason}]
    assert (events[-1]["id"], events[-1]["created"], events[-1]["model"]) == ("c", 5, "m")


def test_what_is_right_passes_as_it_came() -> None:
    right = event({"tool_calls": [{"index": 0, **CALL}]}) + event({}, "tool_calls")
    decoder = StreamDecoder("own", "m")
    assert decoder.feed(right).data + decoder.feed(b"data: [DONE]\n\n").data + decoder.finish().data == right
