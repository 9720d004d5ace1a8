"""Ollama's whole answer as a chat completion."""

from typing import Any

import orjson
import pytest

from shared.domain.usage import Usage
from shared.errors import UpstreamBadAnswer, UpstreamContextTooLong, UpstreamError
from shared.providers.ollama.decode import completion
from tests.support.fake_ollama import ASKED


def answer(said: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"message": {"role": "assistant", **said}, "done": True, "done_reason": "stop", **more}
    return completion(ASKED, orjson.dumps(body)).payload


def test_calls_with_ids_of_their_own_keep_them() -> None:
    calls = [
        {"id": "call_9", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
        {"function": {"name": "g"}},
    ]
    choice = answer({"content": "", "tool_calls": calls})["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [
        {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "call_x1_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_calls_that_their_length_cut_off_are_not_finished() -> None:
    calls = [{"function": {"name": "f", "arguments": '{"a": 1}'}}]
    choice = answer({"tool_calls": calls}, done_reason="length")["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_log_probabilities() -> None:
    tokens = [{"token": "Hi", "logprob": -0.1, "top_logprobs": []}]
    assert answer({"content": "Hi"}, logprobs=tokens)["choices"][0]["logprobs"] == {"content": tokens}


def test_usage() -> None:
    counts = {"prompt_eval_count": 26, "eval_count": 9, "prompt_eval_cached_count": 20}
    body = {"message": {"content": "Hi"}, "done": True, **counts}
    assert completion(ASKED, orjson.dumps(body)).usage == Usage(prompt=26, completion=9, cached=20)


@pytest.mark.parametrize("counts", [{}, {"prompt_eval_count": "many", "eval_count": -1}])
def test_usage_that_is_missing_is_estimated(counts: dict[str, Any]) -> None:
    body = {"message": {"content": "Hi"}, "done": True, **counts}
    assert completion(ASKED, orjson.dumps(body)).usage == Usage(prompt=10, estimated=True)


def test_an_empty_answer_is_none_unless_its_length_cut_it() -> None:
    with pytest.raises(UpstreamBadAnswer, match="empty") as caught:
        answer({"content": ""}, prompt_eval_count=26, eval_count=9)
    assert Usage.from_openai(caught.value.usage) == Usage(prompt=26, completion=9)
    assert answer({"content": ""}, done_reason="length")["choices"][0]["message"]["content"] == ""
    assert answer({"content": "", "thinking": "Hm."})["choices"][0]["message"]["reasoning_content"] == "Hm."


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"message": []}', b'{"message": {"content": 1}}', b'{"message": null}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamBadAnswer):
        completion(ASKED, body)


def test_an_error_with_a_good_status_is_an_error() -> None:
    with pytest.raises(UpstreamError) as seen:
        completion(ASKED, b'{"error": "an error was encountered while running the model"}')
    assert type(seen.value) is UpstreamError
    with pytest.raises(UpstreamContextTooLong):
        completion(ASKED, b'{"error": {"type": "exceed_context_size_error"}}')
