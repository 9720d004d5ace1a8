"""What an OpenAI-compatible provider is sent: the caller's own payload, but for the few things that must differ."""

from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput
from shared.providers.openai import encode


def sent(body: dict[str, Any], **options: Any) -> dict[str, Any]:
    request = ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body})
    found: dict[str, Any] = orjson.loads(encode.body(request, "real-name", **options))
    return found


def test_unknown_fields_go_through_and_none_is_invented() -> None:
    body = {"model": "auto", "own": {"a": [1, None]}, "encoding_format": None, "gateway": {"maxLayer": "L1"}}
    assert sent(body) == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "real-name",
        "own": {"a": [1, None]},
        "encoding_format": None,
    }


def test_a_stream_asks_for_usage_and_keeps_the_callers_options() -> None:
    found = sent({"stream": True, "stream_options": {"include_obfuscation": False}})
    assert found["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_fields_are_renamed_unless_both_are_there() -> None:
    renames = (("max_tokens", "max_completion_tokens"),)
    assert sent({"max_tokens": 5}, renames=renames)["max_completion_tokens"] == 5
    assert sent({"max_tokens": 5, "max_completion_tokens": None}, renames=renames) == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "real-name",
        "max_completion_tokens": 5,
    }
    both = sent({"max_tokens": 5, "max_completion_tokens": 7}, renames=renames)
    assert (both["max_tokens"], both["max_completion_tokens"]) == (5, 7)


def test_fields_of_messages_that_the_vendor_refuses_are_left_out() -> None:
    messages = [{"role": "assistant", "content": "x", "reasoning_details": []}, {"role": "user", "content": "y"}]
    found = sent({"messages": messages}, message_fields_refused=frozenset({"reasoning_details"}))
    assert found["messages"] == [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]


def test_a_payload_nested_too_deeply_is_the_callers_mistake() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested"):
        sent({"own": deep})
