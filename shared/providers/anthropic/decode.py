"""Anthropic's whole answer as an OpenAI chat completion. Pure.

What OpenAI's form has no place for is kept beside it: `reasoning_content` and `reasoning_details` (thinking, with the
signature that sends it back), `annotations` (web citations), and `anthropic_content`, the blocks as they came, only when
the rest cannot rebuild them. An assistant message that brings them back is encoded from them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from shared.domain.chat import Completion
from shared.errors import UpstreamBadAnswer, UpstreamError
from shared.providers.anthropic import errors
from shared.providers.anthropic.content import FORMAT, THINKING, Block
from shared.providers.anthropic.usage import tier, unknown, usage_object, usage_of
from shared.providers.emptiness import empty_answer, not_json

FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
TRANSLATED = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)
"""The fields of an answer that have a place in OpenAI's form; others are kept under their names."""

REBUILT: Mapping[str, frozenset[str]] = {
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "text": frozenset({"type", "text"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
}
DIRECT = {"type": "direct"}
"""Who calls a tool when nobody else is named."""

RANKS: Mapping[str, int] = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}


def completion(provider: str, body: bytes, api_model_name: str, created: int, *, secret: str = "") -> Completion:
    """A whole answer. Raises UpstreamError when it isn't one, or an empty one, whatever its status said."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(provider, body, error) from None
    if isinstance(answer, dict) and answer.get("error"):
        raise errors.from_event(provider, answer["error"], secret=secret)
    try:
        found = decode(answer, api_model_name=api_model_name, created=created)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UpstreamBadAnswer(
            f"{provider} sent an answer of the wrong shape.", operator_detail=repr(error), usage=errors.usage_in(answer)
        ) from None
    if (empty := emptiness(provider, answer["content"], answer, found.payload["usage"])) is not None:
        raise empty
    return found


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
    told = usage if usage.prompt or usage.completion else None
    return Completion({**unknown(answer, TRANSLATED), **payload, **tier(counts)}, told)


def emptiness(
    provider: str, blocks: Iterable[Block], source: Mapping[str, Any], usage: dict[str, Any]
) -> UpstreamError | None:
    """The failure that an answer whose blocks tell nothing is; `source` says how it ended."""
    if any(has_content(block) for block in blocks):
        return None
    explanation = refusal(source).get("refusal", "")
    return empty_answer(provider, [ending(source)["finish_reason"]], usage=usage, explanation=explanation)


def has_content(block: Block) -> bool:
    """Whether a block tells anything: text, thinking that can be read, a call, or something of Anthropic's own."""
    kind = block["type"]
    return bool(block.get(kind)) if kind in ("text", "thinking") else kind != "redacted_thinking"


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
    if isinstance(details := source.get("stop_details"), dict):
        ended["stop_details"] = details
    return ended


def refusal(source: Mapping[str, Any]) -> dict[str, str]:
    """Why the model refused, where it says so."""
    details = source.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return {"refusal": explanation} if isinstance(explanation, str) and explanation else {}


def extras(blocks: list[Block], api_model_name: str) -> dict[str, Any]:
    """The fields of a message that keep what OpenAI's own fields cannot."""
    found: dict[str, Any] = {}
    thinking = [block for block in blocks if block["type"] in THINKING]
    if thinking:
        found["reasoning_details"] = [reasoning(block, index, api_model_name) for index, block in enumerate(thinking)]
    if annotations := list(_annotations(blocks)):
        found["annotations"] = annotations
    if not _can_be_rebuilt(blocks):
        found["anthropic_content"] = blocks
    return found


def reasoning(block: Block, index: int, api_model_name: str) -> dict[str, Any]:
    """A thinking block as an entry of `reasoning_details`."""
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
    """Whether text, calls and reasoning alone give the same blocks again: thinking, then one text, then calls."""
    if not all(_is_plain(block) for block in blocks):
        return False
    ranks = [RANKS[block["type"]] for block in blocks]
    return ranks == sorted(ranks) and ranks.count(RANKS["text"]) <= 1


def _is_plain(block: Block) -> bool:
    known = REBUILT.get(block["type"])
    return known is not None and all(
        name in known or value in (None, []) or (name == "caller" and value == DIRECT) for name, value in block.items()
    )
