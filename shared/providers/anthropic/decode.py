"""Anthropic's whole answer as an OpenAI chat completion. Pure.

What OpenAI's form has no place for is kept beside it: `reasoning_content` and `reasoning_details` (thinking, with the
signature that sends it back), `annotations` (web citations), and `anthropic_content`, the blocks as they came, only when
the rest cannot rebuild them. An assistant message that brings them back is encoded from them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from shared.domain.chat import Completion
from shared.domain.usage import Usage
from shared.errors import UpstreamError
from shared.providers.anthropic import errors
from shared.providers.anthropic.content import FORMAT, THINKING, Block

FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
TIERS: Mapping[str, str] = {"standard": "default", "priority": "priority"}
RANKS: Mapping[str, int] = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}


def completion(provider: str, body: bytes, api_model_name: str, created: int) -> Completion:
    """A whole answer. Raises UpstreamError when it isn't one, whatever its status said."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError(f"{provider} sent an answer that is not JSON.", operator_detail=str(error)) from None
    if isinstance(answer, dict) and answer.get("error"):
        raise errors.from_event(provider, answer["error"])
    try:
        return decode(answer, api_model_name=api_model_name, created=created)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamError(f"{provider} sent an answer of the wrong shape.", operator_detail=repr(error)) from None


def decode(answer: Mapping[str, Any], *, api_model_name: str, created: int) -> Completion:
    """A Messages answer, as parsed, in OpenAI's form. Raises KeyError and its kin for what isn't one."""
    blocks: list[Block] = answer["content"]
    text = "".join(str(block.get("text") or "") for block in blocks if block["type"] == "text")
    calls = [tool_call(block) for block in blocks if block["type"] == "tool_use"]
    reasoning = "".join(str(block.get("thinking") or "") for block in blocks if block["type"] == "thinking")
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    message.update(extras(blocks, api_model_name))
    message.update(refusal(answer))
    counts = answer.get("usage") or {}
    usage = usage_of(counts)
    payload: dict[str, Any] = {
        "id": answer.get("id"),
        "object": "chat.completion",
        "created": created,
        "model": api_model_name,
        "choices": [{"index": 0, "message": message, "logprobs": None, **ending(answer)}],
        "usage": usage_object(usage, counts),
    }
    if (tier := TIERS.get(str(counts.get("service_tier")))) is not None:
        payload["service_tier"] = tier
    return Completion(payload, usage)


def tool_call(block: Block) -> dict[str, Any]:
    """A tool call in OpenAI's form, its arguments as JSON text."""
    arguments = orjson.dumps(block.get("input") or {}).decode()
    return {
        "id": block.get("id"),
        "type": "function",
        "function": {"name": block.get("name"), "arguments": arguments},
    }


def ending(source: Mapping[str, Any]) -> dict[str, Any]:
    """How an answer ended: OpenAI's reason, Anthropic's own, and the stop sequence that it met."""
    reason = source.get("stop_reason")
    ended: dict[str, Any] = {"finish_reason": FINISH_REASONS.get(str(reason), "stop")}
    if isinstance(reason, str):
        ended["native_finish_reason"] = reason
    if isinstance(sequence := source.get("stop_sequence"), str):
        ended["stop_reason"] = sequence
    return ended


def refusal(source: Mapping[str, Any]) -> dict[str, str]:
    """Why the model refused, where it says so."""
    details = source.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return {"refusal": explanation} if isinstance(explanation, str) and explanation else {}


def usage_of(usage: Any) -> Usage:
    """Anthropic counts what came from the cache, and what went into it, apart from the other input."""
    counts = usage if isinstance(usage, dict) else {}
    cached, cache_write = _count(counts, "cache_read_input_tokens"), _count(counts, "cache_creation_input_tokens")
    return Usage(
        prompt=_count(counts, "input_tokens") + cached + cache_write,
        completion=_count(counts, "output_tokens"),
        cached=cached,
        cache_write=cache_write,
        reasoning=_count(counts.get("output_tokens_details"), "thinking_tokens"),
    )


def usage_object(usage: Usage, source: Any) -> dict[str, Any]:
    """Usage in OpenAI's form, with the server tools that are billed beside tokens."""
    made = usage.to_openai()
    if isinstance(source, dict) and source.get("server_tool_use"):
        made["server_tool_use"] = source["server_tool_use"]
    return made


def extras(blocks: list[Block], api_model_name: str) -> dict[str, Any]:
    """The fields of a message that keep what OpenAI's own fields cannot."""
    found: dict[str, Any] = {}
    thinking = [block for block in blocks if block["type"] in THINKING]
    if thinking:
        found["reasoning_details"] = [_reasoning(block, index, api_model_name) for index, block in enumerate(thinking)]
    if annotations := list(_annotations(blocks)):
        found["annotations"] = annotations
    if not _can_be_rebuilt(blocks):
        found["anthropic_content"] = blocks
    return found


def _reasoning(block: Block, index: int, api_model_name: str) -> dict[str, Any]:
    common = {"format": FORMAT, "index": index, "model": api_model_name}
    if block["type"] == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": block.get("data"), **common}
    return {
        "type": "reasoning.text",
        "text": block.get("thinking") or "",
        "signature": block.get("signature"),
        **common,
    }


def _annotations(blocks: Iterable[Block]) -> Iterable[dict[str, Any]]:
    start = 0
    for block in blocks:
        if block["type"] != "text":
            continue
        end = start + len(str(block.get("text") or ""))
        for citation in block.get("citations") or ():
            if isinstance(citation, dict) and isinstance(url := citation.get("url"), str):
                place = {"start_index": start, "end_index": end, "url": url, "title": citation.get("title") or ""}
                yield {"type": "url_citation", "url_citation": place}
        start = end


def _can_be_rebuilt(blocks: list[Block]) -> bool:
    """Whether text, calls and reasoning alone give the same blocks again: thinking, then text, then calls."""
    if any(block["type"] not in RANKS or block.get("citations") for block in blocks):
        return False
    ranks = [RANKS[block["type"]] for block in blocks]
    return ranks == sorted(ranks)


def _count(source: Any, key: str) -> int:
    value = source.get(key) if isinstance(source, dict) else None
    return value if isinstance(value, int) and value > 0 else 0
