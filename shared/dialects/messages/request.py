"""A request for the Messages API as a chat in OpenAI's form. Pure.

Source: https://platform.claude.com/docs/en/api/messages

A provider that speaks the Messages API itself gets the caller's own body; this form is what routing reads, and what all
other providers get. What only Anthropic's servers can do is left out of it, and refused where nothing else was asked.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.dialects.messages.content import Block, blocks_in, parts_of, result_of, simplest
from shared.dialects.tool_names import original_id, short_name
from shared.errors import InvalidInput, Unsupported, invalid_field

Message = dict[str, Any]

BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block, which is for Anthropic alone and changes with each call: no other prompt cache would hit."""

FORMAT = "anthropic-claude-v1"
CHOICES: Mapping[str, str] = {"auto": "auto", "any": "required", "none": "none"}
EFFORTS: Mapping[str, str] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}
EFFORT_OF_BUDGET = ((2048, "low"), (8192, "medium"))
"""Thinking budgets in tokens, and the effort that they come to; a larger one is `high`."""

PLACEHOLDER = "DeferredToolPlaceholder"
"""The tool with which Claude Code says that more can be searched for, at Anthropic only."""

SAME = ("model", "temperature", "top_p", "stream", "gateway")


def to_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat in OpenAI's form. Raises InvalidInput that names the field, Unsupported for tools that run at Anthropic only."""
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise invalid_field("max_tokens", "this field is required, and must be a whole number")
    payload: dict[str, Any] = {name: body[name] for name in SAME if body.get(name) is not None}
    payload["messages"] = [*_system(body.get("system")), *_conversation(body.get("messages"))]
    payload["max_tokens"] = max(limit, 1)
    tools = _tools(body.get("tools"))
    if tools:
        payload["tools"] = tools
        payload.update(_choice(body.get("tool_choice"), tools))
    if stops := body.get("stop_sequences"):
        payload["stop"] = stops
    if (effort := _effort(body)) is not None:
        payload["reasoning_effort"] = effort
    if (form := _form(body)) is not None:
        payload["response_format"] = form
    return payload


def tool_names(body: Mapping[str, Any]) -> list[str]:
    """The names of the tools that a request declares."""
    tools = body.get("tools")
    found = [tool.get("name") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return [name for name in found if isinstance(name, str)]


def _system(system: Any) -> list[Message]:
    if system is None:
        return []
    blocks = [
        block
        for block in blocks_in(system, "system")
        if not (isinstance(text := block.get("text"), str) and text.startswith(BILLING))
    ]
    parts = parts_of(blocks, "system")
    return [{"role": "system", "content": simplest(parts)}] if parts else []


def _conversation(messages: Any) -> list[Message]:
    if not isinstance(messages, list) or not messages:
        raise invalid_field("messages", "this field is required, and must be a list of messages")
    chat: list[Message] = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise invalid_field(f"messages.{index}", "must be an object with 'role' and 'content'")
        where = f"messages.{index}.content"
        role, blocks = message.get("role"), blocks_in(message.get("content"), where)
        if role == "user":
            chat += _user(blocks, where)
        elif role == "assistant":
            chat += _assistant(blocks, where)
        elif role == "system":
            if parts := parts_of(blocks, where):
                chat.append({"role": "system", "content": simplest(parts)})
        else:
            raise invalid_field(f"messages.{index}.role", "must be user, assistant or system")
    if not chat:
        raise invalid_field("messages", "there is no text in it")
    return chat


def _user(blocks: list[Block], where: str) -> list[Message]:
    """A message for each result of a tool, then what else the turn says."""
    found: list[Message] = []
    rest = []
    for index, block in enumerate(blocks):
        if block["type"] != "tool_result":
            rest += parts_of([block], f"{where}.{index}")
            continue
        if not isinstance(identity := block.get("tool_use_id"), str):
            raise invalid_field(f"{where}.{index}.tool_use_id", "this field is required")
        content, others = result_of(block, f"{where}.{index}")
        found.append({"role": "tool", "tool_call_id": original_id(identity), "content": content})
        rest += others
    if rest:
        found.append({"role": "user", "content": simplest(rest)})
    return found


def _assistant(blocks: list[Block], where: str) -> list[Message]:
    parts = parts_of([block for block in blocks if block["type"] not in ("thinking", "redacted_thinking")], where)
    text = "".join(str(part["text"]) for part in parts if part["type"] == "text")
    message: Message = {"role": "assistant", "content": text or None}
    calls = [_call(block, f"{where}.{index}") for index, block in enumerate(blocks) if block["type"] == "tool_use"]
    if calls:
        message["tool_calls"] = calls
    message.update(_thinking(blocks))
    if not text and not calls:
        return []
    return [message]


def _call(block: Block, where: str) -> dict[str, Any]:
    name, identity = block.get("name"), block.get("id")
    if not isinstance(name, str) or not isinstance(identity, str):
        raise invalid_field(where, "a tool use must have 'id' and 'name'")
    given = block.get("input")
    try:
        arguments = orjson.dumps({} if given is None else given).decode()
    except orjson.JSONEncodeError:
        raise InvalidInput("The request body is nested too deeply.") from None
    return {
        "id": original_id(identity),
        "type": "function",
        "function": {"name": short_name(name), "arguments": arguments},
    }


def _thinking(blocks: list[Block]) -> dict[str, Any]:
    """The reasoning of an earlier answer: its text, and its signatures, which only the vendor that made them can check."""
    text = "".join(str(block.get("thinking") or "") for block in blocks if block["type"] == "thinking")
    details: list[dict[str, Any]] = []
    for block in blocks:
        common = {"format": FORMAT, "index": len(details)}
        if block["type"] == "thinking" and block.get("signature"):
            thought = {"type": "reasoning.text", "text": block.get("thinking") or "", "signature": block["signature"]}
            details.append({**thought, **common})
        elif block["type"] == "redacted_thinking" and block.get("data"):
            details.append({"type": "reasoning.encrypted", "data": block["data"], **common})
    return {**({"reasoning_content": text} if text else {}), **({"reasoning_details": details} if details else {})}


def _tools(tools: Any) -> list[dict[str, Any]]:
    """The tools that any model can call. Tools that run at Anthropic are left out, unless there are no others."""
    if tools is None:
        return []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise invalid_field("tools", "must be a list of objects")
    own = [tool for tool in tools if tool.get("type") in (None, "custom") and tool.get("name") != PLACEHOLDER]
    if not own:
        return [dict(tool) for tool in tools if tool.get("name") != PLACEHOLDER]
    return [_function(tool, f"tools.{tools.index(tool)}") for tool in own]


def _function(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise invalid_field(f"{where}.name", "this field is required")
    function: dict[str, Any] = {"name": short_name(name), "parameters": tool.get("input_schema") or {"type": "object"}}
    if isinstance(description := tool.get("description"), str):
        function["description"] = description
    if isinstance(strict := tool.get("strict"), bool):
        function["strict"] = strict
    made: dict[str, Any] = {"type": "function", "function": function}
    if isinstance(mark := tool.get("cache_control"), dict):
        made["cache_control"] = mark
    return made


def _choice(choice: Any, tools: list[dict[str, Any]]) -> dict[str, Any]:
    if choice is None:
        return {}
    if not isinstance(choice, dict):
        raise invalid_field("tool_choice", "must be an object with 'type'")
    kind = choice.get("type")
    one_at_a_time = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") is True else {}
    if kind == "tool" and isinstance(name := choice.get("name"), str):
        if all("function" not in tool for tool in tools):  # it runs at Anthropic, and is named as there
            return {"tool_choice": {"type": "tool", "name": name}}
        if all(tool.get("function", {}).get("name") != short_name(name) for tool in tools):
            raise Unsupported(
                f"'tool_choice' names '{name[:100]}', which is none of the tools that this model can call."
            )
        return {"tool_choice": {"type": "function", "function": {"name": short_name(name)}}, **one_at_a_time}
    if not isinstance(kind, str) or kind not in CHOICES:
        raise invalid_field("tool_choice.type", "must be auto, any, tool or none")
    return {"tool_choice": CHOICES[kind], **one_at_a_time}


def _effort(body: Mapping[str, Any]) -> str | None:
    """How much the model is to think; None where the request does not say."""
    thinking, output = body.get("thinking"), body.get("output_config")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "disabled":
        return "none"
    if isinstance(thinking, dict) and kind == "enabled":
        budget = thinking.get("budget_tokens")
        if isinstance(budget, int):
            return next((effort for most, effort in EFFORT_OF_BUDGET if budget <= most), "high")
    asked = output.get("effort") if isinstance(output, dict) else None
    return EFFORTS.get(asked) if isinstance(asked, str) and kind is not None else None


def _form(body: Mapping[str, Any]) -> dict[str, Any] | None:
    output = body.get("output_config")
    form = output.get("format") if isinstance(output, dict) else body.get("output_format")
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form.get("schema"), "strict": True}}
