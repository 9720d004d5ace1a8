"""What an answer shows of not being good enough."""

from typing import Any

import pytest

from shared.domain.chat import ChatRequest
from shared.routing.checks.evidence import shortcoming

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}


def ask(**body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body})


def answer(*choices: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason} for message in choices]}


@pytest.mark.parametrize(
    ("message", "reason", "found"),
    [
        ({"content": "fine"}, "stop", None),
        ({"content": None, "refusal": "no"}, "stop", "refused"),
        ({"content": ""}, "content_filter", "refused"),
        ({"content": "half of"}, "length", "truncated"),
        ({"content": ""}, "stop", "empty"),
        ({"content": None, "audio": {"id": "a"}}, "stop", None),
        ({"tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}]}, "tool_calls", None),
        ({"tool_calls": [{"function": {"name": "f", "arguments": '{"a":'}}]}, "tool_calls", "invalid_tool_call"),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "3"}}]}, "tool_calls", "invalid_tool_call"),
        ({"tool_calls": [{"type": "custom", "custom": {"name": "f", "input": "x"}}]}, "tool_calls", None),
    ],
)
def test_each_shortcoming_has_its_name(message: dict[str, Any], reason: str, found: str | None) -> None:
    assert shortcoming(ask(), answer(message, reason=reason)) == found


def test_an_end_that_the_caller_set_is_no_shortcoming() -> None:
    assert shortcoming(ask(max_tokens=3), answer({"content": "half of"}, reason="length")) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"n": 1}', None), ('{"n": "one"}', "invalid_schema"), ("[]", "invalid_schema"), ('{"n": 1', "invalid_json")],
)
def test_what_was_asked_to_keep_a_schema_is_held_to_it(text: str, found: str | None) -> None:
    assert shortcoming(ask(response_format=FORMAT), answer({"content": text})) == found


def test_json_of_any_kind_is_enough_where_no_schema_was_given() -> None:
    wanted = ask(response_format={"type": "json_object"})
    assert shortcoming(wanted, answer({"content": '{"any": "thing"}'})) is None
    assert shortcoming(wanted, answer({"content": "thing"})) == "invalid_json"


def test_one_good_choice_among_several_is_enough() -> None:
    assert shortcoming(ask(n=2), answer({"content": ""}, {"content": "fine"})) is None


@pytest.mark.parametrize(
    ("name", "arguments", "found"),
    [("f", '{"n": 1}', None), ("f", "{}", "invalid_tool_arguments"), ("g", '{"n": 1}', "unknown_tool")],
)
def test_tool_calls_are_held_to_the_tools_of_the_request(name: str, arguments: str, found: str | None) -> None:
    wanted = ask(tools=[{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}])
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
    assert shortcoming(wanted, answer({"content": None, "tool_calls": [call]}, reason="tool_calls")) == found
