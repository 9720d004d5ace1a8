"""Tools and the choice among them."""

from typing import Any

import pytest

from shared.errors import InvalidInput, Unsupported
from shared.providers.anthropic.tools import toolbox
from shared.providers.anthropic.traits import traits_of

NEW = traits_of("claude-sonnet-4-5")
NEWEST = traits_of("claude-opus-5-5")
OLD = traits_of("claude-3-5-haiku-latest")

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, **more}}


WEATHER, TIME = function("weather", description="The weather."), function("time")


def test_a_function_becomes_a_tool_with_an_input_schema() -> None:
    box = toolbox({"tools": [WEATHER]}, NEW, ())
    assert box.tools == [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
    assert box.choice is None


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    given: list[dict[str, Any] | None] = [{}, None, {"properties": {}}]
    for parameters in given:
        box = toolbox({"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}, NEW, ())
        assert box.tools[0]["input_schema"] == {"type": "object", "properties": {}}


def test_functions_of_the_older_form_are_tools_too() -> None:
    payload = {"functions": [{"name": "f", "parameters": SCHEMA}], "function_call": {"name": "f"}}
    box = toolbox(payload, NEW, ())
    assert box.tools == [{"name": "f", "input_schema": SCHEMA}]
    assert box.choice == {"type": "tool", "name": "f"}


def test_anthropics_own_tools_go_through() -> None:
    own = [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        {"name": "f", "input_schema": SCHEMA},
        {"type": "custom", "name": "g", "input_schema": SCHEMA},
        {"type": "mcp_toolset", "mcp_server_name": "m"},
    ]
    assert toolbox({"tools": own}, NEW, ()).tools == own


def test_a_function_that_is_not_wrapped_is_a_tool() -> None:
    flat = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}
    assert toolbox({"tools": [flat]}, OLD, ()).tools == [{"name": "f", "input_schema": SCHEMA}]


def test_strictness_beside_the_function_counts() -> None:
    assert toolbox({"tools": [{**TIME, "strict": True}]}, NEW, ()).tools[0]["strict"] is True


def test_cache_marks_stay_on_a_tool() -> None:
    mark = {"type": "ephemeral"}
    box = toolbox({"tools": [{**WEATHER, "cache_control": mark}, function("time", cache_control=mark)]}, NEW, ())
    assert [tool["cache_control"] for tool in box.tools] == [mark, mark]


def test_strictness_is_kept_where_anthropic_keeps_it() -> None:
    strict = function("f", strict=True)
    kept = toolbox({"tools": [strict, TIME]}, NEW, ()).tools
    assert kept[0]["strict"] is True
    assert kept[0]["input_schema"]["additionalProperties"] is False
    assert "strict" not in kept[1]
    assert "strict" not in toolbox({"tools": [strict]}, OLD, ()).tools[0]


def test_strictness_is_dropped_where_anthropic_would_refuse_it() -> None:
    free = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}
    assert toolbox({"tools": [free]}, NEW, ()).tools == [{"name": "f", "input_schema": {"type": "object"}}]
    many = toolbox({"tools": [function(f"f{n}", strict=True) for n in range(21)]}, NEW, ()).tools
    assert len(many) == 21
    assert all("strict" not in tool and tool["input_schema"] == SCHEMA for tool in many)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "time"}}, {"type": "tool", "name": "time"}),
        ({"type": "tool", "name": "time"}, {"type": "tool", "name": "time"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"type": "any", "disable_parallel_tool_use": True}),
    ],
)
def test_a_choice_is_translated(asked: Any, expected: Any) -> None:
    assert toolbox({"tools": [WEATHER, TIME], "tool_choice": asked}, NEW, ()).choice == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
def test_parallel_calls_can_be_turned_off(asked: Any, expected: Any) -> None:
    payload = {"tools": [TIME], "tool_choice": asked, "parallel_tool_calls": False}
    assert toolbox(payload, NEW, ()).choice == expected


def test_allowed_tools_leave_only_those() -> None:
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "time"}}]}
    payload = {"tools": [WEATHER, TIME], "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}
    box = toolbox(payload, NEW, ())
    assert [tool["name"] for tool in box.tools] == ["time"]
    assert box.choice == {"type": "any"}
    allowed["tools"] = [{"type": "function", "function": {"name": ["time"]}}]
    assert len(toolbox(payload, NEW, ()).tools) == 2, "it names none"


def test_a_choice_that_the_model_refuses_becomes_an_instruction() -> None:
    named = toolbox({"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": "time"}}}, NEWEST, ())
    assert named.choice == {"type": "auto"}
    assert "'time'" in named.note
    assert not named.forced
    any_tool = toolbox({"tools": [TIME], "tool_choice": "required"}, NEWEST, ())
    assert any_tool.choice == {"type": "auto"}
    assert "at least one" in any_tool.note


def test_tools_of_earlier_turns_are_declared_when_the_request_has_none() -> None:
    box = toolbox({}, NEW, {"time", "weather"})
    assert [tool["name"] for tool in box.tools] == ["time", "weather"]
    assert box.choice == {"type": "none"}


def test_without_tools_there_is_no_choice() -> None:
    assert toolbox({"tool_choice": "auto", "parallel_tool_calls": False}, NEW, ()).choice is None


@pytest.mark.parametrize(
    "payload",
    [
        {"tools": [{"type": "function", "function": {}}]},
        {"tools": [{"type": "function"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]},
        {"tools": [TIME], "tool_choice": "sometimes"},
        {"tools": [TIME], "tool_choice": {"type": ["x"]}},
        {"tools": [TIME], "tool_choice": {"type": {}}},
        {"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": ["x"]}}},
        {"tools": [TIME], "function_call": 5},
        {"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": "nope"}}},
    ],
)
def test_malformed_tools_are_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        toolbox(payload, NEW, ())


def test_free_text_tools_are_unsupported() -> None:
    with pytest.raises(Unsupported, match=r"tools\.0\.type"):
        toolbox({"tools": [{"type": "custom", "custom": {"name": "code"}}]}, NEW, ())
