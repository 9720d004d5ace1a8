"""Streams."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic import NOT_GIVEN
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from shared.domain.chat import Chunk
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamRefused, UpstreamThrottled
from shared.providers.anthropic.conversation import conversation_of
from shared.providers.anthropic.decode import completion
from shared.providers.anthropic.stream import StreamDecoder
from shared.providers.anthropic.traits import traits_of
from shared.providers.server_sent_events import encode, payloads

Transcript = Callable[[str], bytes]
MODEL = "claude-x"
ANSWERS = [
    "text",
    "tools",
    "parallel_tools",
    "thinking",
    "interleaved",
    "refusal",
    "cache",
    "cache_writes",
    "max_tokens",
    "truncated",
    "stop_sequence",
    "web_search",
    "documents",
    "programmatic",
]


def decoder() -> StreamDecoder:
    return StreamDecoder("anthropic", MODEL, 1_700_000_000)


def decode(*blocks: bytes) -> list[Chunk]:
    stream = decoder()
    return [*(stream.feed(block) for block in blocks), stream.finish()]


def events(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [orjson.loads(data) for data in payloads(b"".join(chunk.data for chunk in chunks))]


def deltas(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [event["choices"][0]["delta"] for event in events(chunks)]


def accumulated(chunks: list[Chunk]) -> dict[str, Any]:
    """The message as OpenAI's own client puts it together."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in [*events(chunks), chunks[-1].final]:
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    return state.current_completion_snapshot.model_dump()


@pytest.mark.parametrize("name", ANSWERS)
def test_the_transcripts_are_of_the_dialect(transcript: Transcript, name: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for data in payloads(transcript(f"{name}.sse")):
        if orjson.loads(data)["type"] != "ping":
            adapter.validate_json(data)


@pytest.mark.parametrize("name", ANSWERS)
def test_every_event_is_whole_and_of_openais_form(transcript: Transcript, name: str) -> None:
    chunks = decode(transcript(f"{name}.sse"))
    for chunk in chunks:
        assert chunk.data == b"" or chunk.data.endswith(b"\n\n")
    for event in events(chunks):
        ChatCompletionChunk.model_validate(event)
        assert (event["object"], event["created"], event["model"]) == ("chat.completion.chunk", 1_700_000_000, MODEL)
    assert [bool(event["choices"][0]["finish_reason"]) for event in events(chunks)].count(True) == 1


def test_text_comes_piece_by_piece(transcript: Transcript) -> None:
    found = deltas(decode(transcript("text.sse")))
    assert found == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": ", wörld"},
        {"content": ' "quoted"\n😀'},
        {},
    ]


def test_the_usage_comes_last_and_alone(transcript: Transcript) -> None:
    chunks = decode(transcript("cache.sse"))
    assert [chunk.final for chunk in chunks[:-1]] == [None]
    assert chunks[-1].final == {
        "id": "msg_cache",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        "service_tier": "default",
        "choices": [],
        "usage": {
            "prompt_tokens": 3210,
            "completion_tokens": 4,
            "total_tokens": 3214,
            "prompt_tokens_details": {"cached_tokens": 3000, "cache_write_tokens": 200},
        },
    }


def test_one_network_block_gives_one_chunk(transcript: Transcript) -> None:
    chunks = decode(transcript("text.sse"))
    assert len(chunks) == 2
    assert chunks[0].data.count(b"data: ") == 5


def test_nothing_counts_as_content_before_there_is_some(transcript: Transcript) -> None:
    head, _, rest = transcript("text.sse").partition(b"event: content_block_delta")
    chunks = decode(head, b"event: content_block_delta" + rest)
    assert [chunk.content for chunk in chunks] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("empty", UpstreamBadAnswer), ("hidden_thinking", UpstreamBadAnswer), ("refusal_at_once", UpstreamRefused)],
)
def test_an_end_without_content_never_commits_and_is_a_failure(
    transcript: Transcript, name: str, kind: type[UpstreamError]
) -> None:
    stream = decoder()
    chunks = [stream.feed(event + b"\n\n") for event in transcript(f"{name}.sse").split(b"\n\n") if event]
    assert not any(chunk.content for chunk in chunks)
    assert stream.done
    with pytest.raises(kind):
        stream.finish()


def test_what_an_empty_answer_used_is_not_lost(transcript: Transcript) -> None:
    with pytest.raises(UpstreamBadAnswer) as caught:
        decode(transcript("hidden_thinking.sse"))
    assert Usage.from_openai(caught.value.usage) == Usage(prompt=20, completion=300, reasoning=298)


def test_a_refusal_at_once_says_why(transcript: Transcript) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        decode(transcript("refusal_at_once.sse"))
    assert caught.value.details == "This request could enable cyber harm."


def test_an_answer_that_its_length_cut_before_any_content_is_one(transcript: Transcript) -> None:
    chunks = decode(transcript("truncated.sse"))
    assert chunks[0].content
    assert events(chunks)[-1]["choices"][0]["finish_reason"] == "length"


def test_an_answer_of_server_tools_alone_is_one() -> None:
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    chunks = decode(
        *frames(
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": tool},
            {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}},
            {"type": "message_stop"},
        )
    )
    assert any(chunk.content for chunk in chunks)
    assert deltas(chunks)[-1]["anthropic_content"] == [tool]


def test_kinds_of_cache_writes_and_what_else_the_usage_says_are_kept(transcript: Transcript) -> None:
    final = decode(transcript("cache_writes.sse"))[-1].final
    assert final is not None
    assert final["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1000}
    assert (final["usage"]["speed"], final["usage"]["inference_geo"]) == ("fast", "global")
    assert Usage.from_answer(final) == Usage(
        prompt=5510, completion=4, cached=4000, cache_write=1500, cache_write_1h=1000, tier="fast"
    )


def test_what_the_answer_says_beside_its_message_is_in_the_last_event(transcript: Transcript) -> None:
    final = decode(transcript("programmatic.sse"))[-1].final
    assert final is not None
    assert final["container"]["id"] == "container_011"


def test_counts_that_the_end_does_not_repeat_are_those_of_the_start() -> None:
    chunks = decode(
        *frames(
            {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "x"}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"input_tokens": None, "output_tokens": 5},
            },
            {"type": "message_stop"},
        )
    )
    assert chunks[-1].final is not None
    assert chunks[-1].final["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def test_parallel_calls_keep_their_pieces_apart(transcript: Transcript) -> None:
    message = accumulated(decode(transcript("parallel_tools.sse")))["choices"][0]["message"]
    calls = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]
    assert calls == [
        ("toolu_01A", "get_weather", '{"location":"Paris"}'),
        ("toolu_01B", "get_time", "{}"),
        ("toolu_01C", "get_weather", '{"location":"Rome"}'),
    ]


def test_a_call_after_text_is_the_first_call(transcript: Transcript) -> None:
    found = accumulated(decode(transcript("tools.sse")))["choices"][0]
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] == "Okay, let me check."
    assert orjson.loads(found["message"]["tool_calls"][0]["function"]["arguments"]) == {"location": "San Francisco, CA"}


def test_thinking_streams_and_its_signature_comes_before_the_text(transcript: Transcript) -> None:
    chunks = decode(transcript("thinking.sse"))
    assert [delta["reasoning_content"] for delta in deltas(chunks) if "reasoning_content" in delta] == [
        "I need to find",
        " the GCD.",
    ]
    message = accumulated(chunks)["choices"][0]["message"]
    assert message["content"] == "The greatest common divisor is 21."
    text, hidden = message["reasoning_details"]
    assert (text["text"], text["signature"]) == ("I need to find the GCD.", "EqQBCgIYAhIM1gbcDa9GJwZA2b3h")
    assert hidden["data"] == "EmwKAhgBEgy3va3pzix"
    assert chunks[-1].final["usage"]["completion_tokens_details"] == {"reasoning_tokens": 150}  # type: ignore[index]


def test_a_refusal_ends_as_filtered_and_says_why(transcript: Transcript) -> None:
    last = events(decode(transcript("refusal.sse")))[-1]["choices"][0]
    assert last["finish_reason"] == "content_filter"
    assert last["delta"]["refusal"] == "This request could enable cyber harm."


@pytest.mark.parametrize(
    ("name", "reason", "sequence"), [("max_tokens", "length", None), ("stop_sequence", "stop", ", 3")]
)
def test_the_end_says_how_it_came(transcript: Transcript, name: str, reason: str, sequence: str | None) -> None:
    last = events(decode(transcript(f"{name}.sse")))[-1]["choices"][0]
    assert (last["finish_reason"], last.get("stop_reason")) == (reason, sequence)


def test_a_stream_gives_the_same_message_as_the_whole_answer(transcript: Transcript) -> None:
    whole = completion("anthropic", transcript("web_search.json"), MODEL, 0).payload
    streamed = accumulated(decode(transcript("web_search.sse")))
    message = {name: value for name, value in streamed["choices"][0]["message"].items() if value is not None}
    message.pop("parsed", None)
    expected = {name: value for name, value in whole["choices"][0]["message"].items() if value is not None}
    assert message == expected
    assert streamed["usage"]["server_tool_use"] == whole["usage"]["server_tool_use"]


def test_input_that_comes_with_the_start_of_a_call_is_not_lost() -> None:
    found = accumulated(
        decode(
            *frames(
                {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
                },
                {"type": "content_block_stop", "index": 0},
                {"type": "message_stop"},
            )
        )
    )
    assert found["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert found["choices"][0]["finish_reason"] == "stop"


def test_text_that_comes_with_the_start_of_a_block_is_not_lost() -> None:
    chunks = decode(
        *frames(
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "Hm"}},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "A"}},
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "B"}},
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": ""}},
            {"type": "message_stop"},
        )
    )
    assert deltas(chunks)[1:4] == [{"reasoning_content": "Hm"}, {"content": "A"}, {"content": "B"}]


def test_the_input_of_a_server_tool_that_breaks_off_is_kept_as_it_is() -> None:
    tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    chunks = decode(
        *frames(
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": tool},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"q'}},
            {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        )
    )
    assert [delta for delta in deltas(chunks) if delta] == [
        {"role": "assistant", "content": ""},
        {"anthropic_content": [{**tool, "input": {"raw_arguments": '{"q'}}]},
    ]
    assert events(chunks)[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("name", ANSWERS)
def test_a_transcript_becomes_exactly_the_chunks_that_are_written_down(transcript: Transcript, name: str) -> None:
    chunks = decode(transcript(f"{name}.sse"))
    found = b"".join(chunk.data for chunk in chunks) + encode(orjson.dumps(chunks[-1].final))
    assert found.decode() == transcript(f"{name}.expected.sse").decode()


@pytest.mark.parametrize("name", ANSWERS)
def test_a_streamed_answer_sent_back_is_the_blocks_that_came(transcript: Transcript, name: str) -> None:
    told = accumulated(decode(transcript(f"{name}.sse")))["choices"][0]["message"]
    asked = {"role": "user", "content": "x"}
    found = conversation_of([asked, told, asked], traits_of(MODEL), MODEL, keep_thinking=True)
    assert found.turns[1]["content"] == original(transcript(f"{name}.sse"))


def original(stream: bytes) -> list[dict[str, Any]]:
    """The blocks of a stream as Anthropic's own client puts them together."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    message, buffers = None, {}
    for data in payloads(stream):
        if orjson.loads(data)["type"] != "ping":
            message = accumulate_event(
                event=adapter.validate_json(data), current_snapshot=message, json_bufs=buffers, output_format=NOT_GIVEN
            )
    assert message is not None
    return [block.model_dump(exclude_unset=True) for block in message.content]


def frames(*parsed: Any) -> list[bytes]:
    return [b"data: " + orjson.dumps(event) + b"\n\n" for event in parsed]


def test_many_small_pieces_make_one_text() -> None:
    start = frames(
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    )
    pieces = [str(number) for number in range(500)]
    middle = frames(
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": piece}}
            for piece in pieces
        )
    )
    end = frames({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"})
    last = deltas(decode(*start, *middle, *end))[-1]
    assert last["reasoning_details"][0]["text"] == "".join(pieces)


def test_events_that_are_not_known_are_passed_over(transcript: Transcript) -> None:
    more = b'event: later\ndata: {"type":"later","index":0}\n\n: comment\n\n'
    assert deltas(decode(more + transcript("text.sse"))) == deltas(decode(transcript("text.sse")))


def test_an_error_in_the_stream_is_raised_after_what_came_before(transcript: Transcript) -> None:
    stream = decoder()
    chunk = stream.feed(transcript("error_mid_stream.sse"))
    assert stream.done
    assert chunk.content
    assert deltas([chunk])[-1] == {"content": "Half an"}
    with pytest.raises(UpstreamError, match="overloaded"):
        stream.finish()


def test_an_error_before_any_content_leaves_none(transcript: Transcript) -> None:
    stream = decoder()
    assert not stream.feed(transcript("error_first.sse")).content
    with pytest.raises(UpstreamThrottled):
        stream.finish()


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_that_breaks_off_is_a_failure(transcript: Transcript, name: str) -> None:
    whole = transcript(f"{name}.sse")
    stream = decoder()
    stream.feed(whole[: whole.index(b"event: message_stop")])
    assert not stream.done
    with pytest.raises(UpstreamError, match="broke off"):
        stream.finish()


def test_an_empty_stream_is_a_failure() -> None:
    with pytest.raises(UpstreamError, match="broke off"):
        decoder().finish()


@pytest.mark.parametrize(
    "event",
    [
        b"not json",
        b"[1]",
        b"{}",
        b'{"type":[]}',
        b'{"type":"message_start"}',
        b'{"type":"message_stop"}',
        b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}',
        b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f"}}',
        b'{"type":"content_block_start","index":0,"content_block":null}',
    ],
)
def test_what_is_not_of_the_dialect_is_a_failure(event: bytes) -> None:
    with pytest.raises(UpstreamError, match="anthropic sent an event"):
        decoder().feed(b"data: " + event + b"\n\n")


def test_nothing_is_taken_after_the_end(transcript: Transcript) -> None:
    whole = transcript("text.sse")
    assert deltas(decode(whole + whole)) == deltas(decode(whole))


FIXTURES = Path(__file__).parents[3] / "fixtures" / "anthropic"
WHOLE = {name: (FIXTURES / f"{name}.sse").read_bytes() for name in ANSWERS}


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 4_000), max_size=12), st.booleans())
def test_how_the_network_cuts_the_stream_makes_no_difference(name: str, cuts: list[int], carriage: bool) -> None:
    whole = WHOLE[name].replace(b"\n", b"\r\n") if carriage else WHOLE[name]
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    blocks = [whole[start:end] for start, end in itertools.pairwise(places)]
    cut, uncut = decode(*blocks), decode(WHOLE[name])
    assert events(cut) == events(uncut)
    assert cut[-1].final == uncut[-1].final
