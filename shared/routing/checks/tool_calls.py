"""What is wrong with the tool calls of an answer, also with those that a model wrote as text. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shared.routing.checks.blocks import fenced, parsed
from shared.routing.checks.schemas import fits

Fault = Literal["invalid_tool_call", "unknown_tool", "invalid_tool_arguments"]
Tools = Mapping[str, Any]
"""The schema of the arguments of each function, by its name."""

MOST_TEXT = 20_000
MARKUP = re.compile(
    r"<tool_call>|<\|?tool_calls?(?:_begin|_section_begin)?\|?>|\[TOOL_CALLS\]|<function_calls?>|<\|python_tag\|>|<function=|"
    r"<(?:\w+:)?invoke\b|<\|channel\|>commentary"
)
NEAR = 300
"""How many characters after its markup a call names its tool at the latest."""
NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input", "action_input")


def tools_of(payload: Mapping[str, Any]) -> Tools:
    """The functions that a request offers; empty when it offers none, or wants none called."""
    if payload.get("tool_choice") == "none" or payload.get("function_call") == "none":
        return {}
    tools = [tool for tool in payload.get("tools") or () if isinstance(tool, dict)]
    offered = [tool.get("function") for tool in tools if tool.get("type", "function") == "function"]
    functions = [function for function in (*offered, *(payload.get("functions") or ())) if isinstance(function, dict)]
    return {str(function.get("name")): function.get("parameters") for function in functions}


def fault_of(call: Any, tools: Tools) -> Fault | None:
    """The first thing that is wrong with a tool call; None when nothing is, or for a kind of call that we do not know."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None
    arguments = parsed(function.get("arguments"))
    if not isinstance(arguments, dict):
        return "invalid_tool_call"
    if not tools:
        return None
    name = function.get("name")
    if not isinstance(name, str) or name not in tools:
        return "unknown_tool"
    schema = tools[name]
    return None if not isinstance(schema, dict) or fits(arguments, schema) else "invalid_tool_arguments"


def is_written_call(text: str, tools: Tools) -> bool:
    """Whether a text is a call of one of the tools, in the markup of a model's template, as JSON or as an expression."""
    text = text.strip()[-MOST_TEXT:]
    if not tools or not text:
        return False
    near = (text[found.start() : found.end() + NEAR] for found in MARKUP.finditer(text))
    if any(_names(part, tools) for part in near):
        return True
    found = fenced(text)
    ends_with_code = found.code and text.endswith("```")
    value = parsed(found.code[-1][1] if ends_with_code else text)
    return any(_is_call(item, tools) for item in _items(value)) or _is_expression(text, tools)


def _names(text: str, tools: Tools) -> bool:
    return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in tools)


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    yield from value[:16] if isinstance(value, list) else [value]


def _is_call(item: Any, tools: Tools) -> bool:
    if not isinstance(item, dict):
        return False
    if isinstance(item.get("function"), dict):
        item = item["function"]
    named = any(isinstance(item.get(key), str) and item[key].removeprefix("functions.") in tools for key in NAME_KEYS)
    return named and any(key in item for key in ARGUMENT_KEYS)


def _is_expression(text: str, tools: Tools) -> bool:
    """Whether a text is all `name(…)`, as Llama writes calls: `[get_weather(city="Paris")]`."""
    found = re.match(r"(?:tool_code\s+)?\[?\s*(?:functions\.)?([\w-]{1,64})\(", text)
    return found is not None and found[1] in tools and "\n" not in text and text.rstrip("]; ").endswith(")")
