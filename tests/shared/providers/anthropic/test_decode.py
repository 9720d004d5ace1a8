"""Whole answers."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from shared.domain.chat import Completion
from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer, UpstreamError, UpstreamRefused
from shared.providers.anthropic.conversation import conversation_of
from shared.providers.anthropic.decode import completion
from shared.providers.anthropic.traits import traits_of

Transcript = Callable[[str], bytes]
MODEL = "claude-opus-4-6"
ANSWERS = ["text", "tools", "thinking", "refusal", "cache", "web_search", "interleaved"]


def decoded(body: bytes) -> Completion:
    return completion("anthropic", body, MODEL, 1_700_000_000)


def message(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = decoded(body).payload["choices"][0]["message"]
    return found


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_what_openais_client_takes(transcript: Transcript, name: str) -> None:
    body = transcript(f"{name}.json")
    Message.model_validate_json(body, strict=False)
    ChatCompletion.model_validate(decoded(body).payload)


def test_text_blocks_are_joined(transcript: Transcript) -> None:
    found = decoded(transcript("text.json"))
    assert found.payload == {
        "id": "msg_text",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello, wörld again",
                    "refusal": None,
                    "anthropic_content": orjson.loads(transcript("text.json"))["content"],
                },
                "logprobs": None,
                "finish_reason": "stop",
                "native_finish_reason": "end_turn",
            }
        ],
        "usage": {"prompt_tokens": 25, "completion_tokens": 15, "total_tokens": 40},
    }
    assert found.usage == Usage(prompt=25, completion=15)


def test_tool_uses_become_calls_with_their_arguments_as_json(transcript: Transcript) -> None:
    found = decoded(transcript("tools.json")).payload["choices"][0]
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] == "Let me check."
    first, second = found["message"]["tool_calls"]
    assert first["id"] == "toolu_01A"
    assert first["function"] == {"name": "get_weather", "arguments": '{"location":"San Francisco, CA"}'}
    assert second["function"]["arguments"] == "{}"


def test_thinking_is_told_apart_from_the_answer_and_can_be_sent_back(transcript: Transcript) -> None:
    body = transcript("thinking.json")
    told = message(body)
    assert told["content"] == "21"
    assert told["reasoning_content"] == "Let me see."
    assert "anthropic_content" not in told
    turns = conversation_of(
        [{"role": "user", "content": "x"}, told, {"role": "user", "content": "y"}],
        traits_of(MODEL),
        MODEL,
        keep_thinking=True,
    ).turns
    assert turns[1]["content"] == orjson.loads(body)["content"]
    assert decoded(body).usage == Usage(prompt=25, completion=15, reasoning=9)


@pytest.mark.parametrize("name", ["text", "tools", "web_search", "interleaved"])
def test_every_answer_can_be_sent_back_block_for_block(transcript: Transcript, name: str) -> None:
    body = transcript(f"{name}.json")
    turns = conversation_of(
        [{"role": "user", "content": "x"}, message(body), {"role": "user", "content": "y"}],
        traits_of(MODEL),
        MODEL,
        keep_thinking=True,
    ).turns
    assert turns[1]["content"] == orjson.loads(body)["content"]


def test_a_refusal_says_why(transcript: Transcript) -> None:
    found = decoded(transcript("refusal.json")).payload["choices"][0]
    assert found["finish_reason"] == "content_filter"
    assert found["message"]["refusal"] == "This request could enable cyber harm."
    assert found["message"]["content"] == "I"
    assert found["stop_details"]["category"] == "cyber"


def test_the_cache_counts_as_part_of_the_prompt(transcript: Transcript) -> None:
    found = decoded(transcript("cache.json"))
    assert found.usage == Usage(prompt=3210, completion=4, cached=3000, cache_write=200)
    assert found.payload["usage"]["prompt_tokens_details"] == {"cached_tokens": 3000, "cache_write_tokens": 200}


def test_web_citations_become_annotations(transcript: Transcript) -> None:
    told = message(transcript("web_search.json"))
    (annotation,) = told["annotations"]
    place = annotation["url_citation"]
    assert told["content"][place["start_index"] : place["end_index"]] == "384,400 km"
    assert place["url"] == "https://moon.example/"
    assert decoded(transcript("web_search.json")).payload["usage"]["server_tool_use"]["web_search_requests"] == 1


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_reasons_to_stop_are_translated(theirs: str | None, ours: str) -> None:
    body = orjson.dumps({"content": [{"type": "text", "text": "x"}], "stop_reason": theirs})
    choice = decoded(body).payload["choices"][0]
    assert choice["finish_reason"] == ours
    assert choice.get("native_finish_reason") == theirs


def test_an_answer_of_calls_alone_has_no_content() -> None:
    body = orjson.dumps({"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": "é"}}]})
    told = message(body)
    assert told["content"] is None
    assert told["tool_calls"][0]["function"]["arguments"] == '{"a":"é"}'


def test_an_error_with_status_200_is_a_failure(transcript: Transcript) -> None:
    with pytest.raises(UpstreamError, match="overloaded") as caught:
        decoded(transcript("error.json"))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"content": "x"}',
        b'{"content": [1]}',
        b'{"content": [{}]}',
        b'{"content": [{"type": "text", "citations": 5}]}',
        b'{"content": [], "usage": "none"}',
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="anthropic sent an answer"):
        decoded(body)


def test_odd_counts_are_no_counts() -> None:
    text = {"type": "text", "text": "x"}
    body = orjson.dumps(
        {"content": [text], "usage": {"input_tokens": None, "output_tokens": "many", "service_tier": []}}
    )
    assert decoded(body).usage is None


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [{"type": "text", "text": ""}],
        [{"type": "thinking", "thinking": "", "signature": "c2ln"}],
        [{"type": "redacted_thinking", "data": "c2ln"}],
    ],
)
def test_an_answer_without_content_is_a_failure_unless_it_was_cut(blocks: list[dict[str, Any]]) -> None:
    with pytest.raises(UpstreamBadAnswer, match="empty"):
        decoded(orjson.dumps({"content": blocks, "stop_reason": "end_turn"}))
    cut = decoded(orjson.dumps({"content": blocks, "stop_reason": "max_tokens"}))
    assert cut.payload["choices"][0]["finish_reason"] == "length"


def test_a_refusal_at_once_is_a_failure_that_says_why(transcript: Transcript) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        decoded(transcript("refusal_at_once.json"))
    assert caught.value.details == "This request could enable cyber harm."


@pytest.mark.parametrize(
    "block", [{"type": "thinking", "thinking": "Hm"}, {"type": "container_upload", "file_id": "f"}]
)
def test_thinking_that_can_be_read_and_what_is_anthropics_own_are_content(block: dict[str, Any]) -> None:
    assert decoded(orjson.dumps({"content": [block], "stop_reason": "end_turn"})).payload["choices"]


def test_fields_that_only_anthropic_knows_are_kept() -> None:
    answer = {"id": "m", "content": [{"type": "text", "text": "x"}], "container": {"id": "c"}, "later": 1, "none": None}
    found = decoded(orjson.dumps({**answer, "usage": {"service_tier": "batch", "later": {"a": 1}}})).payload
    assert (found["container"], found["later"], found["service_tier"]) == ({"id": "c"}, 1, "batch")
    assert "none" not in found
    assert found["usage"]["later"] == {"a": 1}


def test_a_tool_that_another_tool_called_keeps_its_caller() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    direct = message(orjson.dumps({"content": [{**call, "caller": {"type": "direct"}}]}))
    assert "anthropic_content" not in direct
    called = {**call, "caller": {"type": "code_execution_20260120", "tool_id": "s"}}
    assert message(orjson.dumps({"content": [called]}))["anthropic_content"] == [called]


def test_the_key_that_was_sent_is_never_passed_on() -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "api_error", "message": "bad key plain-key-1"}})
    with pytest.raises(UpstreamError) as caught:
        completion("anthropic", body, MODEL, 0, secret="plain-key-1")
    assert "plain-key-1" not in f"{caught.value.message}{caught.value.details}{caught.value.operator_detail}"
