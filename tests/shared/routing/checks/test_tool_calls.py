"""What is wrong with tool calls."""

from typing import Any

import pytest

from shared.routing.checks.tool_calls import fault_of, is_written_call, tools_of

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {"weather": SCHEMA}


def test_the_tools_of_a_request_are_its_functions() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
    assert tools_of({"tools": [tool, {"type": "web_search"}], "functions": [{"name": "old"}]}) == {**TOOLS, "old": None}
    assert tools_of({"tools": [tool], "tool_choice": "none"}) == {}
    assert tools_of({}) == {}


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("weather", '{"city": "Paris"}', None),
        ("weather", "{}", "invalid_tool_arguments"),
        ("weather", '{"city": 5}', "invalid_tool_arguments"),
        ("weather", '{"city":', "invalid_tool_call"),
        ("wether", '{"city": "Paris"}', "unknown_tool"),
    ],
)
def test_each_fault_has_its_name(name: str, arguments: str, fault: str | None) -> None:
    assert fault_of({"type": "function", "function": {"name": name, "arguments": arguments}}, TOOLS) == fault


def test_without_known_tools_only_the_form_counts() -> None:
    call: dict[str, Any] = {"function": {"name": "any", "arguments": "{}"}}
    assert fault_of(call, {}) is None
    assert fault_of(call, {"any": None}) is None
    assert fault_of({"type": "custom", "custom": {"name": "x"}}, TOOLS) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "weather", "arguments": {"city": "Paris"}}',
        '```json\n{"name": "weather", "parameters": {"city": "Paris"}}\n```',
        'I look it up.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>',
        '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris"}}]',
        "<function=weather><parameter=city>Paris</parameter></function>",
        '<invoke name="weather"><parameter name="city">Paris</parameter></invoke>',
        '[weather(city="Paris")]',
        '{"tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}]}',
    ],
)
def test_a_call_that_is_written_as_text_is_known(text: str) -> None:
    assert is_written_call(text, TOOLS)
    assert not is_written_call(text, {})
    assert not is_written_call(text, {"other": None})


@pytest.mark.parametrize(
    "text",
    [
        "The weather in Paris is fine.",
        "You can call `weather(city)` to know more.",
        '{"weather": "fine"}',
        '{"name": "weather"}',
        "",
    ],
)
def test_other_texts_are_no_calls(text: str) -> None:
    assert not is_written_call(text, TOOLS)
