"""Anthropic's streams passed on to a caller of the same dialect: the bytes as they came, and what the gateway learns."""

import pytest

from shared.domain.usage import Usage
from shared.errors import UpstreamError, UpstreamNetwork, UpstreamOverloaded
from shared.providers.anthropic.relay import MessageRelay
from tests.shared.providers.anthropic.test_stream import Transcript

NAMES = ["text", "tools", "parallel_tools", "thinking", "interleaved", "refusal", "cache", "max_tokens", "web_search"]


def relay() -> MessageRelay:
    return MessageRelay("anthropic", "claude-x", 0)


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
@pytest.mark.parametrize("name", NAMES)
def test_every_byte_is_passed_on_once(transcript: Transcript, name: str, size: int) -> None:
    events = transcript(f"{name}.sse").replace(b"\r\n", b"\n")
    stream = relay()
    chunks = [stream.feed(events[start : start + size]) for start in range(0, len(events), size)]
    last = stream.finish()
    assert b"".join(chunk.data for chunk in [*chunks, last]) == events
    assert all(chunk.native for chunk in chunks)
    assert any(chunk.content for chunk in chunks)
    assert last.final is not None
    assert Usage.from_answer(last.final).completion > 0


def test_the_ids_of_tool_calls_are_told(transcript: Transcript) -> None:
    stream = relay()
    found = stream.feed(transcript("parallel_tools.sse"))
    assert found.calls == ("toolu_01A", "toolu_01B", "toolu_01C")


def test_hidden_thinking_begins_an_answer(transcript: Transcript) -> None:
    stream = relay()
    events = transcript("hidden_thinking.sse")
    start = events.index(b"event: content_block_stop")
    assert stream.feed(events[:start]).content


def test_what_came_before_a_failure_is_passed_on_and_the_failure_raised(transcript: Transcript) -> None:
    events = transcript("error_mid_stream.sse")
    stream = relay()
    found = stream.feed(events)
    assert found.data == events[: events.index(b"event: error")]
    with pytest.raises(UpstreamOverloaded):
        stream.finish()


def test_a_stream_that_breaks_off_is_known(transcript: Transcript) -> None:
    events = transcript("text.sse")
    stream = relay()
    stream.feed(events[: len(events) // 2])
    with pytest.raises((UpstreamNetwork, UpstreamError)):
        stream.finish()
