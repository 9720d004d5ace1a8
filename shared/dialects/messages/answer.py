"""An answer in OpenAI's form as a message of the Messages API. Pure.

Source: https://platform.claude.com/docs/en/api/messages (Response)
"""

import secrets
from collections.abc import Mapping
from typing import Any

from shared.dialects.tool_names import input_of, plain_id
from shared.domain.usage import Usage

Block = dict[str, Any]

STOP_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def message_of(answer: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The message. `names` are the tools whose names were shortened, by their short ones."""
    choice: Mapping[str, Any] = next(iter(answer.get("choices") or ()), {})
    told = choice.get("message") or {}
    return {
        "id": message_id(),
        "type": "message",
        "role": "assistant",
        "model": answer.get("model"),
        "content": _content(told, names),
        **ending(choice, called=bool(told.get("tool_calls"))),
        "usage": usage_object(answer.get("usage")),
    }


def message_id() -> str:
    """A new id. Vendors' own ids may repeat (Ollama has a thousand), and Claude Code merges messages of the same id."""
    return f"msg_{secrets.token_hex(12)}"


def ending(choice: Mapping[str, Any], *, called: bool) -> dict[str, Any]:
    """Why an answer ended, in Anthropic's words. One that calls tools ended for them, whatever its vendor says."""
    reason = choice.get("finish_reason")
    found: dict[str, Any] = {"stop_reason": STOP_REASONS.get(str(reason), "end_turn"), "stop_sequence": None}
    if isinstance(own := choice.get("native_finish_reason"), str) and own in (
        "pause_turn",
        "model_context_window_exceeded",
    ):
        found["stop_reason"] = own
    if called and found["stop_reason"] == "end_turn":
        found["stop_reason"] = "tool_use"
    if reason == "stop" and isinstance(sequence := choice.get("stop_reason"), str):
        found.update(stop_reason="stop_sequence", stop_sequence=sequence)
    if isinstance(details := choice.get("stop_details"), dict):
        found["stop_details"] = details
    return found


def usage_object(usage: Any) -> dict[str, int]:
    """Usage as Anthropic counts it: what came from the cache, and what went into it, beside the other input."""
    used = Usage.from_openai(usage if isinstance(usage, dict) else None)
    return {
        "input_tokens": max(used.prompt - used.cached - used.cache_write, 0),
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.completion,
    }


def reasoning_blocks(details: Any) -> list[Block]:
    """The thinking blocks in `reasoning_details`, with the signatures that send them back."""
    blocks: list[Block] = []
    for item in details if isinstance(details, list) else ():
        if not isinstance(item, dict):
            continue
        if isinstance(data := item.get("data"), str) and data:
            blocks.append({"type": "redacted_thinking", "data": data})
        elif isinstance(text := item.get("text"), str):
            blocks.append({"type": "thinking", "thinking": text, "signature": item.get("signature") or ""})
    return blocks


def _content(told: Mapping[str, Any], names: Mapping[str, str]) -> list[Block]:
    if isinstance(own := told.get("anthropic_content"), list):
        return own
    blocks = reasoning_blocks(told.get("reasoning_details"))
    if not blocks and (thought := told.get("reasoning_content") or told.get("reasoning")):
        blocks.append({"type": "thinking", "thinking": str(thought), "signature": ""})
    if text := _text(told.get("content")) or told.get("refusal"):
        blocks.append({"type": "text", "text": text})
    blocks += [_tool_use(call, names) for call in told.get("tool_calls") or () if isinstance(call, dict)]
    return blocks


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _tool_use(call: Mapping[str, Any], names: Mapping[str, str]) -> Block:
    function = call.get("function") or call.get("custom") or {}
    name = str(function.get("name") or "")
    return {
        "type": "tool_use",
        "id": plain_id(str(call.get("id") or f"toolu_{secrets.token_hex(12)}")),
        "name": names.get(name, name),
        "input": input_of(function.get("arguments")),
    }
