"""Golden transcripts: every kind of stream comes through byte for byte, but for the model's name and the usage event."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from shared.domain.chat import Chunk
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork, UpstreamRefused
from shared.providers.openai.stream import StreamDecoder
from shared.providers.server_sent_events import END, payloads

Transcript = Callable[[str], bytes]
MODEL = "asked-for"
NAMED = re.compile(rb'"model":"[^"\\]+"')
FIXTURES = Path(__file__).parents[3] / "fixtures" / "openai"
ANSWERS = (
    "text",
    "tools",
    "parallel_tools",
    "reasoning",
    "images",
    "audio",
    "refusal",
    "choices",
    "filtered",
    "truncated",
)
CLIENT_REFUSES = ("filtered", "parallel_tools")
"""Azure's first event has no choices, and a streamed custom tool call is no part of the client's types yet."""

WHOLE = {name: (FIXTURES / f"{name}.sse").read_bytes() for name in ANSWERS}
USED = {
    "text": Usage(prompt=2006, completion=12, cached=1920, tier="default"),
    "reasoning": Usage(prompt=14, completion=60, reasoning=54, tier="default"),
    "images": Usage(prompt=8, completion=1303, reasoning=3, image_completion=1290),
    "audio": Usage(prompt=120, completion=64, audio_prompt=100, audio_completion=50, tier="default"),
}


def decode(*blocks: bytes) -> list[Chunk]:
    decoder = StreamDecoder("openai", MODEL)
    return [*(decoder.feed(block) for block in blocks), decoder.finish()]


def events(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(item) for item in payloads(data) if item != b"[DONE]"]


def out(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def holds_only_usage(event: bytes) -> bool:
    return b'"choices":[]' in event and b'"usage":{' in event


def without_usage(event: bytes) -> bytes:
    if b'"usage":{' not in event:
        return event
    told = orjson.loads(event.removeprefix(b"data: "))
    return b"data: " + orjson.dumps({name: value for name, value in told.items() if name != "usage"})


def expected(transcript: bytes) -> bytes:
    """What comes out: all events but the usage and the end, the model renamed, comments gone."""
    kept = [
        without_usage(event)
        for event in transcript.split(END)
        if event and not event.startswith(b":") and not holds_only_usage(event) and event != b"data: [DONE]"
    ]
    return b"".join(NAMED.sub(b'"model":"%s"' % MODEL.encode(), event) + END for event in kept)


def accumulated(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer as OpenAI's own client puts it together."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in found:
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    return state.current_completion_snapshot.model_dump(exclude={"model"})


@pytest.mark.parametrize("name", ANSWERS)
def test_every_byte_of_an_answer_comes_through(name: str) -> None:
    assert out(decode(WHOLE[name])) == expected(WHOLE[name])


@pytest.mark.parametrize("name", ANSWERS)
def test_the_usage_event_is_kept_back_with_all_its_fields(name: str) -> None:
    (final,) = [chunk.final for chunk in decode(WHOLE[name]) if chunk.final]
    told = next(event for event in reversed(events(WHOLE[name])) if event.get("usage"))
    assert final == {**told, "model": MODEL, "choices": []}
    if name in USED:
        assert Usage.from_answer(final) == USED[name]


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in CLIENT_REFUSES])
def test_openais_client_puts_the_same_answer_together(name: str) -> None:
    chunks = decode(WHOLE[name])
    final = next(chunk.final for chunk in chunks if chunk.final)
    whole = accumulated(events(WHOLE[name]))
    ours = accumulated([*events(out(chunks)), final])
    assert ours == whole


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 4_000), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_how_the_network_cuts_the_stream_makes_no_difference(name: str, cuts: list[int], line_end: bytes) -> None:
    whole = WHOLE[name].replace(b"\n", line_end)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    cut = decode(*(whole[start:end] for start, end in itertools.pairwise(places)))
    assert out(cut) == expected(WHOLE[name])
    assert [chunk.final for chunk in cut if chunk.final] == [c.final for c in decode(WHOLE[name]) if c.final]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ANSWERS), st.data())
def test_a_stream_that_is_cut_anywhere_before_its_finish_is_a_failure(name: str, data: st.DataObject) -> None:
    finish = WHOLE[name].index(b'"finish_reason":"')
    place = data.draw(st.integers(0, WHOLE[name].rindex(END, 0, finish) + 2))
    with pytest.raises(UpstreamNetwork, match="broke off"):
        decode(WHOLE[name][:place])


@pytest.mark.parametrize("name", ["tools", "parallel_tools", "reasoning", "refusal", "audio", "images", "choices"])
def test_the_first_of_the_answer_commits(name: str) -> None:
    decoder = StreamDecoder("openai", MODEL)
    contents = [decoder.feed(event + END).content for event in WHOLE[name].split(END) if event]
    assert any(contents)
    head = contents.index(True)
    assert b'"finish_reason":"stop"' not in WHOLE[name].split(END)[head]


def test_a_choice_that_stays_empty_beside_one_that_does_not_is_an_answer() -> None:
    decoder = StreamDecoder("openai", MODEL)
    parts = [event + END for event in WHOLE["choices"].split(END) if event]
    assert [decoder.feed(part).content for part in parts[:4]] == [False, False, False, True]


def feed_singly(transcript: bytes) -> tuple[list[bool], StreamDecoder]:
    decoder = StreamDecoder("openai", MODEL)
    return [decoder.feed(event + END).content for event in transcript.split(END) if event], decoder


def test_a_finish_without_content_never_commits_and_is_a_failure(transcript: Transcript) -> None:
    contents, decoder = feed_singly(transcript("empty"))
    assert not any(contents)
    with pytest.raises(UpstreamBadAnswer, match="empty answer") as caught:
        decoder.finish()
    assert Usage.from_openai(caught.value.usage) == Usage(prompt=19)


def test_a_filter_that_took_everything_is_a_refusal(transcript: Transcript) -> None:
    contents, decoder = feed_singly(transcript("withheld"))
    assert not any(contents)
    with pytest.raises(UpstreamRefused) as caught:
        decoder.finish()
    assert caught.value.code == "content_refused"
    assert caught.value.retryable


def test_an_answer_that_its_length_cut_before_any_content_is_one() -> None:
    contents, decoder = feed_singly(WHOLE["truncated"])
    assert contents.count(True) == 1
    final = decoder.finish().final
    assert final is not None
    assert Usage.from_answer(final).reasoning == 16


def test_an_empty_stream_that_just_says_done_is_a_failure() -> None:
    with pytest.raises(UpstreamBadAnswer, match="empty"):
        decode(b"data: [DONE]\n\n")


def test_an_error_after_content_is_raised_when_the_content_is_out(transcript: Transcript) -> None:
    decoder = StreamDecoder("openrouter", MODEL)
    head, rest, _ = transcript("error_mid_stream").split(END)
    assert decoder.feed(head + END).content
    with pytest.raises(UpstreamError, match="502"):
        decoder.feed(rest + END)


def test_an_error_that_only_a_choice_reports_is_a_failure() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 429, "message": "slow down"}}
    with pytest.raises(UpstreamError, match="429"):
        decode(b"data: " + orjson.dumps({"choices": [choice]}) + END)


def test_unknown_fields_of_every_depth_come_back() -> None:
    event = {
        "id": "c",
        "model": MODEL,
        "own": {"a": [None]},
        "choices": [{"index": 0, "own": 1, "delta": {"content": "x", "own": None}, "finish_reason": "stop"}],
    }
    assert events(out(decode(b"data: " + orjson.dumps(event) + END + b"data: [DONE]\n\n"))) == [event]


def test_an_event_of_several_lines_keeps_its_numbers() -> None:
    lines = b'data: {"model":"m","own":1e2,\ndata: "big":123456789012345678901234567890,\n'
    lines += b'data: "choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'
    found = out(decode(lines))
    assert found.count(b"\n") == 2
    assert b'"own":1e2,' in found
    assert b"123456789012345678901234567890" in found


def test_the_last_event_counts_without_its_empty_line() -> None:
    last = orjson.dumps(
        {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": {"total_tokens": 1}}
    )
    chunks = decode(b"data: " + last)
    assert [chunk.content for chunk in chunks] == [False, True]
    assert chunks[-1].final is not None


def test_a_cut_after_the_finish_costs_the_usage_only() -> None:
    whole = WHOLE["text"]
    cut = decode(whole[: whole.rindex(b'"prompt_tokens":')])
    assert out(cut) == expected(whole)
    assert [chunk.final for chunk in cut if chunk.final] == []
