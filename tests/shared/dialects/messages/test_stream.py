"""Streams of OpenAI's chunks as Anthropic's events: as Anthropic's own client puts them together."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from shared.dialects.messages.answer import message_of
from shared.dialects.messages.stream import MessageStream
from shared.errors import UpstreamBadAnswer
from shared.providers.anthropic.stream import StreamDecoder
from shared.providers.server_sent_events import encode, payload, split
from tests.support.chunk_streams import any_stream, call, chunk

FIXTURES = Path(__file__).parents[3] / "fixtures" / "anthropic"
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def streamed(chunks: Iterable[bytes], names: dict[str, str] | None = None) -> bytes:
    stream = MessageStream(names or {}, prompt_tokens=7)
    return b"".join([*(stream.feed(run) for run in chunks), stream.finish()])


def checked(events: bytes) -> Message:
    """The message as Anthropic's client makes it of the events, each in its turn and of its form."""
    snapshot, opened, closed = None, -1, -1
    buffers: dict[int, bytes] = {}
    for event in split(events):
        name, data = event.split(b"\n")[0].removeprefix(b"event: ").decode(), orjson.loads(payload(event) or b"")
        assert name == data["type"]
        if name == "ping":
            continue
        if name == "content_block_start":
            assert (data["index"], opened) == (opened + 1, closed), "one block at a time, one after the other"
            opened += 1
        elif name == "content_block_delta":
            assert data["index"] == opened != closed, "only the open block goes on"
        elif name == "content_block_stop":
            assert data["index"] == opened
            closed = opened
        elif name == "message_delta":
            assert opened == closed, "nothing is open at the end"
        snapshot = accumulate_event(event=EVENT.validate_python(data), current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    return Message.model_validate(snapshot.model_dump())


def test_text_reasoning_and_a_call_in_their_order() -> None:
    found = checked(
        streamed(
            [
                chunk({"role": "assistant", "content": ""}),
                chunk({"reasoning_content": "I "}) + chunk({"reasoning_content": "think."}),
                chunk({"reasoning_details": [{"type": "reasoning.text", "text": "I think.", "signature": "sig"}]}),
                chunk({"content": "Let "}),
                chunk({"content": "me."}),
                chunk(call(0, id="functions.Bash:0", name="short")),
                chunk(call(0, '{"command":')),
                chunk(call(0, '"ls"}')),
                chunk({}, finish="tool_calls"),
                chunk(
                    None,
                    usage={"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}},
                ),
            ],
            {"short": "a_long_name"},
        )
    )
    thinking, text, tool = [block.model_dump(exclude_none=True) for block in found.content]
    assert thinking == {"type": "thinking", "thinking": "I think.", "signature": "sig"}
    assert text["text"] == "Let me."
    assert (tool["name"], tool["input"]) == ("a_long_name", {"command": "ls"})
    assert tool["id"].startswith("toolu_gw_")
    assert found.stop_reason == "tool_use"
    assert (found.usage.input_tokens, found.usage.cache_read_input_tokens, found.usage.output_tokens) == (4, 8, 5)


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
    assert [(block.name, block.input) for block in found.content if block.type == "tool_use"] == [
        ("A", {"x": 1}),
        ("B", {"y": 2}),
    ]
    assert [block.text for block in found.content if block.type == "text"] == ["meanwhile"]


def test_a_call_without_arguments_has_an_empty_input() -> None:
    found = checked(streamed([chunk(call(0, id="a", name="A")), chunk({}, finish="tool_calls")]))
    assert [block.input for block in found.content if block.type == "tool_use"] == [{}]


@pytest.mark.parametrize(
    ("finish", "more", "expected"),
    [
        ("stop", {}, ("end_turn", None)),
        ("length", {}, ("max_tokens", None)),
        ("content_filter", {}, ("refusal", None)),
        ("stop", {"stop_reason": "###"}, ("stop_sequence", "###")),
        ("stop", {"native_finish_reason": "pause_turn"}, ("pause_turn", None)),
    ],
)
def test_the_reasons_of_an_end(finish: str, more: dict[str, Any], expected: tuple[str, str | None]) -> None:
    last = encode(
        orjson.dumps({"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": finish, **more}]})
    )
    found = checked(streamed([chunk({"content": "a"}), last]))
    assert (found.stop_reason, found.stop_sequence) == expected


@pytest.mark.parametrize(
    "name", ["text", "tools", "parallel_tools", "thinking", "interleaved", "cache", "max_tokens", "refusal"]
)
def test_what_anthropic_streams_comes_back_as_it_was(name: str) -> None:
    events = (FIXTURES / f"{name}.sse").read_bytes()
    decoder = StreamDecoder("anthropic", "claude-x", 0)
    runs = [decoder.feed(events).data]
    last = decoder.finish()
    runs += [last.data, encode(orjson.dumps(last.final))]
    original, found = checked(_named(events)), checked(streamed(runs))
    assert _told(found) == _told(original)
    assert found.stop_reason == original.stop_reason


def _named(events: bytes) -> bytes:
    """The transcript's events, each with its name."""
    return b"".join(event.strip(b"\n") + b"\n\n" for event in split(events) if b"event:" in event)


def _told(message: Message) -> list[dict[str, Any]]:
    """What the blocks say; thinking that was split by other blocks is told once."""
    kept = {
        "text": ("text",),
        "thinking": ("thinking", "signature"),
        "tool_use": ("id", "name", "input"),
        "redacted_thinking": ("data",),
    }
    return [
        {name: getattr(block, name) for name in ("type", *kept[block.type])}
        for block in message.content
        if block.type != "text" or block.text
    ]


@pytest.mark.parametrize("seed", range(200))
def test_any_stream_is_one_that_the_client_accepts(seed: int) -> None:
    """A thousand streams at random: five in each case."""
    dice = random.Random(seed)
    for _ in range(5):
        made = any_stream(dice)
        found = checked(streamed(made.runs))
        assert "".join(block.text for block in found.content if block.type == "text") == made.text
        assert {block.name: block.input for block in found.content if block.type == "tool_use"} == made.calls


@pytest.mark.parametrize(
    "data", [b"[]", b"nonsense", b'{"choices":[3]}', b'{"choices":[{"delta":{"tool_calls":[3]}}]}']
)
def test_what_is_no_chunk_is_a_bad_answer(data: bytes) -> None:
    with pytest.raises(UpstreamBadAnswer):
        MessageStream({}, prompt_tokens=1).feed(encode(data))


def test_a_whole_answer_says_the_same_as_its_stream() -> None:
    answer = {
        "id": "chatcmpl-1",
        "model": "m",
        "choices": [
            {
                "message": {
                    "content": "Let me.",
                    "reasoning_content": "I think.",
                    "tool_calls": [{"id": "a", "function": {"name": "Bash", "arguments": '{"command":"ls"}'}}],
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    found = Message.model_validate(message_of(answer, {}))
    assert [block.type for block in found.content] == ["thinking", "text", "tool_use"]
    assert found.stop_reason == "tool_use"
