"""Streams of OpenAI's chunks as events of a response: as OpenAI's own client puts them together."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from shared.dialects.responses.answer import Asked, repeated, response_of
from shared.dialects.responses.sealing import Sealing
from shared.dialects.responses.stream import ResponseStream
from shared.dialects.responses.tools import Toolbox
from shared.errors import UpstreamBadAnswer
from shared.providers.anthropic.stream import StreamDecoder
from shared.providers.server_sent_events import encode, payload, split
from tests.support.chunk_streams import any_stream, call, chunk

FIXTURES = Path(__file__).parents[3] / "fixtures" / "anthropic"
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SEALING = Sealing(lambda text: text[::-1], lambda text: text[::-1])
PATCH: Any = {
    "type": "custom",
    "name": "apply_patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
}
SEARCH: Any = {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}}
SLEEP: Any = {
    "type": "namespace",
    "name": "clock",
    "description": "Time.",
    "tools": [{"type": "function", "name": "sleep"}],
}
TOOLS = [PATCH, SEARCH, SLEEP]


def asked(**body: Any) -> Asked:
    toolbox = Toolbox()
    toolbox.add(body.get("tools"), "tools")
    return Asked(
        identity="resp_0123", created_at=7, fields=repeated(body), toolbox=toolbox, sealing=SEALING, sealed=True
    )


def streamed(chunks: Iterable[bytes], **body: Any) -> bytes:
    stream = ResponseStream(asked(**body))
    return b"".join([*(stream.feed(run) for run in chunks), stream.finish()])


def told(events: bytes) -> list[dict[str, Any]]:
    """The events, each of its form and in its turn."""
    found = []
    for number, event in enumerate(split(events)):
        name, data = event.split(b"\n")[0].removeprefix(b"event: ").decode(), orjson.loads(payload(event) or b"")
        assert (name, number) == (data["type"], data["sequence_number"])
        found.append(data)
    return found


def checked(events: bytes) -> Response:
    """The response as OpenAI's client makes it of the events."""
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    items: list[Any] = []
    opened = -1
    last: Any = None
    for data in told(events):
        if data["type"] == "response.output_item.added":
            assert (data["output_index"], opened) == (len(items), -1), "one item at a time, one after the other"
            opened = data["output_index"]
        elif data["type"] == "response.output_item.done":
            assert data["output_index"] == opened
            opened = -1
            items.append(data["item"])
        elif "output_index" in data:
            assert data["output_index"] == opened, "only the open item goes on"
        last = EVENT.validate_python(data, strict=False)
        state.handle_event(last)
    assert last.type in ("response.completed", "response.incomplete")
    assert opened == -1
    assert [item.to_dict() for item in last.response.output] == items
    return Response.model_validate(last.response.model_dump())


def test_reasoning_text_and_a_call_in_their_order() -> None:
    events = streamed(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"reasoning_content": "I "}) + chunk({"reasoning_content": "think."}),
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "I think.", "signature": "sig"}]}),
            chunk({"content": "Let "}),
            chunk({"content": "me."}),
            chunk(call(0, id="call_1", name="clock__sleep")),
            chunk(call(0, '{"ms":')),
            chunk(call(0, "5}")),
            chunk({}, finish="tool_calls"),
            chunk(
                None, usage={"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
            ),
        ],
        tools=TOOLS,
    )
    found = checked(events)
    reasoning, message, function = found.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == "I think."
    assert SEALING.opened(reasoning.encrypted_content)["details"] == [
        {"type": "reasoning.text", "text": "I think.", "signature": "sig"}
    ]
    assert message.type == "message"
    assert found.output_text == "Let me."
    assert function.type == "function_call"
    assert (function.name, function.namespace, function.arguments) == ("sleep", "clock", '{"ms":5}')
    assert function.call_id == "call_1"
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.input_tokens_details.cached_tokens) == (12, 8)
    assert [event["type"].removeprefix("response.") for event in told(events)] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


@pytest.mark.parametrize(
    "arguments",
    ['{"input":"*** Begin Patch\\n"}', '{"patch":"*** Begin Patch\\n"}', '{"input":"```\\n*** Begin Patch\\n\\n```"}'],
)
def test_a_tool_of_free_text_is_called_as_one(arguments: str) -> None:
    events = streamed(
        [chunk(call(0, id="c", name="apply_patch")), chunk(call(0, arguments)), chunk({}, finish="stop")], tools=TOOLS
    )
    (item,) = checked(events).output
    assert item.type == "custom_tool_call"
    assert (item.name, item.input, item.call_id) == ("apply_patch", "*** Begin Patch\n", "c")
    assert [event["delta"] for event in told(events) if event["type"].endswith("input.delta")] == ["*** Begin Patch\n"]


def test_a_search_that_the_client_makes_is_called_as_one() -> None:
    pieces = [chunk(call(0, '{"query":"x"}', id="c", name="tool_search")), chunk({}, finish="stop")]
    (item,) = checked(streamed(pieces, tools=TOOLS)).output
    assert item.type == "tool_search_call"
    assert (item.arguments, item.execution, item.call_id) == ({"query": "x"}, "client", "c")


def test_calls_that_come_interleaved_are_told_one_after_the_other() -> None:
    found = checked(
        streamed(
            [
                chunk(call(0, id="a", name="A")),
                chunk(call(1, id="b", name="B")),
                chunk(call(0, '{"x":')),
                chunk(call(1, '{"y":2}')),
                chunk({"content": "meanwhile"}),
                chunk(call(0, "1}")),
                chunk({}, finish="tool_calls"),
            ]
        )
    )
    assert [(item.name, item.arguments) for item in found.output if item.type == "function_call"] == [
        ("A", '{"x":1}'),
        ("B", '{"y":2}'),
    ]
    assert found.output_text == "meanwhile"


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", ("completed", None)),
        ("length", ("incomplete", "max_output_tokens")),
        ("content_filter", ("incomplete", "content_filter")),
    ],
)
def test_the_reasons_of_an_end(finish: str, expected: tuple[str, str | None]) -> None:
    found = checked(streamed([chunk({"content": "a"}), chunk({}, finish=finish)]))
    reason = found.incomplete_details.reason if found.incomplete_details else None
    assert (found.status, reason) == expected


def test_words_of_refusal_are_told_as_such() -> None:
    (item,) = checked(
        streamed([chunk({"refusal": "I "}), chunk({"refusal": "won't"}), chunk({}, finish="stop")])
    ).output
    assert item.type == "message"
    assert item.content[0].type == "refusal"
    assert item.content[0].refusal == "I won't"


def test_pages_that_are_cited_are_named() -> None:
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 1, "url": "u", "title": "t"}}
    (item,) = checked(streamed([chunk({"content": "a"}), chunk({"annotations": [cited]}, finish="stop")])).output
    assert item.type == "message"
    assert item.content[0].type == "output_text"
    assert [annotation.to_dict()["url"] for annotation in item.content[0].annotations] == ["u"]


def test_a_failure_ends_the_stream_with_its_number() -> None:
    stream = ResponseStream(asked())
    events = stream.feed(chunk({"content": "a"})) + stream.failed({"code": "server_error", "message": "Broken."})
    last = told(events)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "server_error", "message": "Broken."}
    assert last["response"]["status"] == "failed"


@pytest.mark.parametrize(
    "name", ["text", "tools", "parallel_tools", "thinking", "interleaved", "cache", "max_tokens", "refusal"]
)
def test_what_anthropic_streams_comes_as_a_response(name: str) -> None:
    decoder = StreamDecoder("anthropic", "claude-x", 0)
    runs = [decoder.feed((FIXTURES / f"{name}.sse").read_bytes()).data]
    last = decoder.finish()
    runs += [last.data, encode(orjson.dumps(last.final))]
    found = checked(streamed(runs))
    thoughts = [SEALING.opened(item.encrypted_content) for item in found.output if item.type == "reasoning"]
    assert all(thought for thought in thoughts)
    if name == "interleaved":
        assert "blocks" in thoughts[-1]


@pytest.mark.parametrize("seed", range(50))
def test_any_stream_is_one_that_the_client_accepts(seed: int) -> None:
    """A thousand streams at random: twenty in each case."""
    dice = random.Random(seed)
    for _ in range(20):
        made = any_stream(dice)
        found = checked(streamed(made.runs))
        assert found.output_text == made.text
        called = {item.name: orjson.loads(item.arguments) for item in found.output if item.type == "function_call"}
        assert called == made.calls


@pytest.mark.parametrize(
    "data", [b"[]", b"nonsense", b'{"choices":[3]}', b'{"choices":[{"delta":{"tool_calls":[3]}}]}']
)
def test_what_is_not_a_chunk_is_a_bad_answer(data: bytes) -> None:
    with pytest.raises(UpstreamBadAnswer):
        ResponseStream(asked()).feed(encode(data))


def test_a_whole_answer_says_the_same_as_its_stream() -> None:
    function = {"name": "apply_patch", "arguments": '{"input":"x"}'}
    message = {"content": "Let me.", "reasoning_content": "I think.", "tool_calls": [{"id": "a", "function": function}]}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    answer = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    whole = Response.model_validate(response_of(asked(tools=TOOLS), answer))
    pieces = [
        chunk({"reasoning_content": "I think."}),
        chunk({"content": "Let me."}),
        chunk(call(0, '{"input":"x"}', id="a", name="apply_patch")),
        chunk({}, finish="stop"),
        chunk(None, usage=usage),
    ]
    assert whole.model_dump() == checked(streamed(pieces, tools=TOOLS)).model_dump()
