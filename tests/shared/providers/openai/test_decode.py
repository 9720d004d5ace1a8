"""OpenAI answers: what goes through as it came, what is held back, what counts as failure."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chat import Chunk
from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamThrottled,
    UpstreamTimeout,
)
from shared.providers.openai import errors
from shared.providers.openai.decode import completion
from shared.providers.openai.stream import StreamDecoder
from shared.providers.server_sent_events import payloads


def event(delta: dict[str, object], finish: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-x-2026",
        "choices": [choice],
        **more,
    }


FIELDS = ("choices", "message", "delta", "error", "usage", "code", "type", "content", "finish_reason", "index")
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "own_field": "kept"}
EVENTS = [
    event({"role": "assistant", "content": ""}, usage=None),
    event({"content": "Hé"}, usage=None),
    event({"content": 'say "model":"gpt-x-2026" or "error": ["x"]'}, usage=None),
    event({}, "stop", usage=None),
    {**event({}), "choices": [], "usage": USAGE, "x_groq": {"id": "kept"}},
]
STREAM = b"".join(b"data: " + orjson.dumps(item) + b"\n\n" for item in EVENTS) + b"data: [DONE]\n\n"


def decode(blocks: list[bytes], name: str = "gpt-x") -> list[Chunk]:
    decoder = StreamDecoder("openai", name)
    chunks = [decoder.feed(block) for block in blocks]
    return [*chunks, decoder.finish()]


def text_of(chunks: list[Chunk]) -> str:
    events = [orjson.loads(data) for chunk in chunks for data in payloads(chunk.data)]
    return "".join(item["choices"][0]["delta"].get("content") or "" for item in events)


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=25))
def test_any_chunking_decodes_to_the_same_answer(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = decode([STREAM[start:end] for start, end in itertools.pairwise(edges)])
    assert text_of(chunks) == 'Hésay "model":"gpt-x-2026" or "error": ["x"]'
    final = [chunk.final for chunk in chunks if chunk.final]
    assert len(final) == 1
    assert final[0]["usage"] == USAGE
    assert final[0]["x_groq"] == {"id": "kept"}
    assert b"[DONE]" not in b"".join(chunk.data for chunk in chunks)


def test_the_model_has_the_name_it_was_asked_for_by() -> None:
    events = [orjson.loads(data) for chunk in decode([STREAM]) for data in payloads(chunk.data)]
    assert {item["model"] for item in events} == {"gpt-x"}
    assert '"model":"gpt-x-2026"' in text_of(decode([STREAM]))


def test_after_the_first_content_bytes_pass_through_as_they_came() -> None:
    odd = b'data: {"id":"c1","model":"m",  "choices": [ {"index":0,"delta":{"content":"b"},"own": 1e2} ]}\n\n'
    first = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    decoder = StreamDecoder("openai", "m")
    assert decoder.feed(first).content
    assert decoder.feed(odd).data == odd


def test_usage_that_is_null_passes_through_untouched_and_other_usage_is_taken_out() -> None:
    decoder = StreamDecoder("openai", "m")
    assert decoder.feed(b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n').content
    for odd in (b'"usage":null', b'"usage": null', b'"content":"\\"usage\\":{1}"'):
        event = b'data: {"model":"m",  "choices":[ {"index":0,"delta":{"content":"b"}} ],%s}\n\n' % odd
        assert decoder.feed(event).data == event
    for colon in (b":", b": ", b" : "):
        event = b'data: {"choices":[{"index":0,"delta":{"content":"b"}}],"usage"%s{"total_tokens":1}}\n\n' % colon
        chunk = decoder.feed(event)
        assert chunk.data == b'data: {"choices":[{"index":0,"delta":{"content":"b"}}]}\n\n'
        assert chunk.usage == {"total_tokens": 1}


def test_an_event_with_usage_that_cannot_be_written_again_is_a_failure() -> None:
    deep = b"[" * 300 + b"]" * 300
    with pytest.raises(UpstreamError, match="wrong shape"):
        decode([b'data: {"choices":[{"delta":{"content":"a"}}],"usage":{"total_tokens":1},"own":%s}\n\n' % deep])


def test_a_role_alone_is_not_content_yet() -> None:
    decoder = StreamDecoder("openai", "m")
    assert not decoder.feed(b"data: " + orjson.dumps(EVENTS[0]) + b"\n\n").content


@pytest.mark.parametrize("delta", [{"tool_calls": [{"index": 0}]}, {"reasoning_content": "x"}, {"refusal": "no"}])
def test_tool_calls_reasoning_and_refusals_are_content(delta: dict[str, object]) -> None:
    decoder = StreamDecoder("openai", "m")
    assert decoder.feed(b"data: " + orjson.dumps(event(delta)) + b"\n\n").content


def test_a_stream_that_breaks_off_is_a_failure() -> None:
    with pytest.raises(UpstreamError, match="broke off"):
        decode([b"".join(b"data: " + orjson.dumps(item) + b"\n\n" for item in EVENTS[:3])])


def test_a_stream_without_done_but_finished_is_whole() -> None:
    assert text_of(decode([STREAM.removesuffix(b"data: [DONE]\n\n")])).startswith("Hé")


def test_an_error_event_is_a_failure_wherever_it_comes() -> None:
    error = b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'
    with pytest.raises(UpstreamError, match="503"):
        decode([error])
    half = STREAM[: STREAM.index(b'data: {"id":"c1"', 200)]
    with pytest.raises(UpstreamError, match="503"):
        decode([half, error])


def test_text_before_an_error_in_the_same_block_is_not_lost() -> None:
    decoder = StreamDecoder("openai", "gpt-x")
    decoder.feed(b"data: " + orjson.dumps(EVENTS[1]) + b"\n\n")
    chunk = decoder.feed(b"data: " + orjson.dumps(EVENTS[1]) + b'\n\ndata: {"error": {"code": 503}}\n\n')
    assert text_of([chunk]) == "Hé"
    with pytest.raises(UpstreamError, match="503"):
        decoder.finish()


def test_an_event_that_is_not_json_is_a_failure() -> None:
    with pytest.raises(UpstreamError, match="not JSON"):
        decode([b"data: {nonsense\n\n"])


def test_usage_in_the_last_content_event_is_found_and_the_event_kept() -> None:
    last = {**event({"content": "x"}, "stop"), "usage": USAGE}
    chunks = decode([b"data: " + orjson.dumps(last) + b"\n\ndata: [DONE]\n\n"])
    assert text_of(chunks) == "x"
    assert chunks[-1].final is not None
    assert chunks[-1].final["usage"] == USAGE


def test_a_whole_answer_keeps_unknown_fields() -> None:
    body = orjson.dumps({"choices": [{"message": {"content": "x"}}], "model": "m-2026", "usage": USAGE, "own": [1]})
    found = completion("openai", body, "m")
    assert found.payload["own"] == [1]
    assert found.payload["model"] == "m"
    assert found.usage is not None
    assert found.usage.prompt == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"choices": []}',
        b'{"error": {"message": "no"}}',
        b'{"choices": [1]}',
        b'{"choices": [{',
    ],
)
def test_a_200_that_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        completion("openai", body, "m")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {}, UpstreamAuthFailed),
        (403, {}, UpstreamAuthFailed),
        (402, {}, UpstreamQuota),
        (429, {"code": "insufficient_quota"}, UpstreamQuota),
        (429, {"code": "rate_limit_exceeded"}, UpstreamThrottled),
        (400, {"code": "context_length_exceeded"}, UpstreamContextTooLong),
        (400, {"message": "rate limit mentioned in words only"}, UpstreamBadRequest),
        (413, {}, UpstreamBadRequest),
        (422, {}, UpstreamBadRequest),
        (408, {}, UpstreamTimeout),
        (504, {}, UpstreamTimeout),
        (404, {}, UpstreamError),
        (500, {}, UpstreamError),
        (529, {}, UpstreamOverloaded),
    ],
)
def test_failures_are_told_apart_by_status_and_code(
    status: int, error: dict[str, str], kind: type[UpstreamError]
) -> None:
    found = errors.from_response("openai", status, {}, orjson.dumps({"error": error}))
    assert type(found) is kind
    assert found.status == status


def test_a_refused_key_is_not_echoed() -> None:
    body = orjson.dumps({"error": {"message": "Incorrect API key provided: sk-secret", "code": "invalid_api_key"}})
    found = errors.from_response("openai", 401, {}, body)
    assert "sk-secret" not in found.message + str(found.details)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_whatever_json_comes_as_an_answer_only_upstream_errors_leave(value: object) -> None:
    body = orjson.dumps(value)
    try:
        found = completion("openai", body, "m")
    except UpstreamError:
        return
    assert found.payload["choices"][0]["message"] is not None


@given(st.lists(json_values, max_size=3))
def test_whatever_json_comes_in_a_stream_only_upstream_errors_leave(values: list[object]) -> None:
    try:
        decode([b"".join(b"data: " + orjson.dumps(value) + b"\n\n" for value in values)])
    except UpstreamError:
        return
    assert any(isinstance(value, dict) for value in values)


@given(json_values, st.sampled_from([400, 401, 404, 429, 500]))
def test_whatever_json_comes_with_an_error_status_it_is_classified(value: object, status: int) -> None:
    assert errors.from_response("openai", status, {}, orjson.dumps(value)).status == status


def test_the_key_that_was_sent_is_never_passed_on() -> None:
    body = orjson.dumps({"error": {"message": "invalid header Authorization: Bearer sk-live-123456"}})
    found = errors.from_response("openai", 400, {}, body, secret="sk-live-123456")
    assert "sk-live" not in str(found.details)
    with pytest.raises(UpstreamError) as caught:
        completion("openai", body, "m", secret="sk-live-123456")
    assert "sk-live" not in str(caught.value.details)


@pytest.mark.parametrize("usage", [None, {}, [], {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}])
def test_a_usage_that_says_nothing_is_none(usage: object) -> None:
    """Or an answer with text in it would be taken to cost nothing."""
    body = orjson.dumps({"choices": [{"message": {"content": "x"}}], "usage": usage})
    assert completion("openai", body, "m").usage is None
