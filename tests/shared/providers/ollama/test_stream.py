"""Ollama's stream as chunks, however the network cuts it."""

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chat import Chunk
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamNetwork
from shared.providers.ollama import stream as stream_module
from shared.providers.ollama.stream import StreamDecoder
from shared.providers.server_sent_events import payloads
from tests.support.fake_ollama import ASKED


def line(message: dict[str, Any] | None = None, **more: Any) -> bytes:
    said = {} if message is None else {"message": {"role": "assistant", **message}}
    return orjson.dumps({"model": "theirs", **said, "done": False, **more}) + b"\n"


CALL = {"function": {"name": "f", "arguments": {"city": "Zürich"}}}
END = line({"content": ""}, done=True, done_reason="stop", prompt_eval_count=26, eval_count=9)
WHOLE = (
    line({"content": "", "thinking": "Hm, "})
    + line({"content": "", "thinking": "so."})
    + b"\n\r\n"
    + line({"content": "Grüße 🌍"}, logprobs=[{"token": "Grüße", "logprob": -1.0}])
    + line({"content": "", "tool_calls": [CALL]})
    + line({"content": "", "tool_calls": [CALL, {**CALL, "id": "own"}]})
    + END
)


def decoded(*blocks: bytes) -> tuple[list[Chunk], UpstreamError | None]:
    decoder = StreamDecoder(ASKED)
    chunks: list[Chunk] = []
    try:
        for block in blocks:
            chunks.append(decoder.feed(block))
            if decoder.done:
                break
        chunks.append(decoder.finish())
    except UpstreamError as error:
        return chunks, error
    return chunks, None


def events(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [orjson.loads(data) for data in payloads(b"".join(chunk.data for chunk in chunks))]


def test_thinking_text_and_calls_become_deltas() -> None:
    chunks, error = decoded(WHOLE)
    assert error is None
    found = events(chunks)
    function = {"name": "f", "arguments": '{"city":"Zürich"}'}
    assert [event["choices"][0]["delta"] for event in found] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "Hm, "},
        {"reasoning_content": "so."},
        {"content": "Grüße 🌍"},
        {"tool_calls": [{"index": 0, "id": "call_x1_0", "type": "function", "function": function}]},
        {
            "tool_calls": [
                {"index": 1, "id": "call_x1_1", "type": "function", "function": function},
                {"index": 2, "id": "own", "type": "function", "function": function},
            ]
        },
        {},
    ]
    assert [event["choices"][0]["finish_reason"] for event in found] == [None] * 6 + ["tool_calls"]
    assert found[3]["choices"][0]["logprobs"] == {"content": [{"token": "Grüße", "logprob": -1.0}]}
    assert {(event["id"], event["object"], event["model"]) for event in found} == {
        ("chatcmpl-x1", "chat.completion.chunk", "m")
    }
    assert chunks[-1].final == {
        "id": "chatcmpl-x1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 26, "completion_tokens": 9, "total_tokens": 35},
    }


def blocks_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


TAILS = (b"", END, b"not json\n", b'{"error": "failed"}\n', b"[1]\n" + END, b'{"done": false}')


@given(
    st.lists(st.integers(0, 10_000), max_size=40),
    st.sampled_from((WHOLE, line({"content": "Hi"}), b"")),
    st.sampled_from(TAILS),
)
def test_any_cutting_gives_the_same(cuts: list[int], start: bytes, tail: bytes) -> None:
    data = start + tail
    whole, failure = decoded(data)
    cut, other = decoded(*blocks_of(data, cuts))
    assert b"".join(chunk.data for chunk in cut) == b"".join(chunk.data for chunk in whole)
    assert any(chunk.content for chunk in cut) == any(chunk.content for chunk in whole)
    assert (type(other), str(other)) == (type(failure), str(failure))
    if failure is None:
        assert cut[-1].final == whole[-1].final


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_rubbish_never_raises_anything_else(blocks: list[bytes]) -> None:
    assert decoded(*blocks)[1] is not None


def test_the_end_may_come_without_a_message_and_without_a_newline() -> None:
    chunks, error = decoded(line({"content": "Hi"}), line(done=True, done_reason="length").rstrip())
    assert error is None
    assert events(chunks)[-1]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1].final is not None
    assert chunks[-1].final["usage"]["estimated"] is True


def test_only_what_answers_is_content() -> None:
    decoder = StreamDecoder(ASKED)
    assert not decoder.feed(line({"content": ""})).content
    assert decoder.feed(line({"content": "Hi"})).content
    assert decoder.feed(END).content


@pytest.mark.parametrize(("reason", "kind"), [("stop", UpstreamBadAnswer), ("length", type(None))])
def test_an_empty_stream_is_a_failure_unless_its_length_cut_it(reason: str, kind: type) -> None:
    chunks, error = decoded(line({"content": ""}, done=True, done_reason=reason))
    assert type(error) is kind
    assert any(chunk.content for chunk in chunks) is (error is None)


def test_what_follows_the_end_is_ignored() -> None:
    chunks, error = decoded(line({"content": "Hi"}) + END + line({"content": "more"}) + b"rubbish")
    assert error is None
    assert len(events(chunks)) == 3


def test_a_stream_that_breaks_off_says_so() -> None:
    chunks, error = decoded(line({"content": "Hi"}), b'{"model": "m", "mess')
    assert isinstance(error, UpstreamBadAnswer)
    chunks, error = decoded(line({"content": "Hi"}))
    assert isinstance(error, UpstreamNetwork)
    assert len(events(chunks)) == 2


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_LINE_BYTES", 100)
    _, error = decoded(b"x" * 60, b"x" * 60, b"x" * 60)
    assert str(error) == "oss-local sent a line too large to handle."
