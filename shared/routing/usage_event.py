"""The usage object of an answer, with its cost, and the event that ends a stream. Pure."""

import time
from decimal import Decimal
from typing import Any

import orjson

from shared.domain.chat import CHARACTERS_PER_TOKEN, ChatRequest
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.providers.server_sent_events import encode, payloads

EVENT_BYTES = len(b"data: \n\n")
CALL_FIELDS = ("name", "arguments", "input")


def estimate(request: ChatRequest, answer: dict[str, Any]) -> Usage:
    """A guess from the lengths, for a provider that says nothing about usage; it is marked as one."""
    said = sum(_said(choice.get("message")) for choice in answer.get("choices", ()))
    return Usage(prompt=request.prompt_tokens, completion=said // CHARACTERS_PER_TOKEN + 1, estimated=True)


def with_cost(given: Any, usage: Usage, cost: Decimal | None) -> dict[str, Any]:
    """The provider's own usage object with our `cost` in it; null when the price is not known.

    Where the counts are our guess, they stand there in place of the provider's, and are marked.
    """
    found = dict(given) if isinstance(given, dict) else {}
    if usage.estimated or not found:
        found.update(usage.to_openai())
    found["cost"] = None if cost is None else float(cost)
    return found


def envelope(first: bytes) -> int:
    """Bytes of an event beside the text in it, as the first events have it."""
    sizes = [len(data) - _text(data) + EVENT_BYTES for data in payloads(first)]
    return min(sizes, default=0)


def length(events: bytes) -> int:
    """How long all is that these events say of an answer."""
    return sum(_text(data) for data in payloads(events))


def tool_call_ids(events: bytes) -> list[str]:
    """The ids of the tool calls that begin in these events."""
    return [
        call["id"]
        for data in payloads(events)
        for choice in _choices(data)
        for call in (choice.get("delta") or {}).get("tool_calls") or ()
        if isinstance(call, dict) and isinstance(call.get("id"), str) and call["id"]
    ]


def _choices(data: bytes) -> list[dict[str, Any]]:
    try:
        found = orjson.loads(data).get("choices")
    except (orjson.JSONDecodeError, AttributeError):
        return []
    return [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []


def _text(data: bytes) -> int:
    """How long the text in one event is; one that is passed on unread may be anything."""
    try:
        return sum(_said(choice.get("delta")) for choice in orjson.loads(data).get("choices") or ())
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return 0


def _said(message: Any) -> int:
    """How long in bytes all is that a message, or a piece of one, says: text, reasoning, names and arguments of calls."""
    if not isinstance(message, dict):
        return 0
    calls = message.get("tool_calls")
    functions = [_function(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    texts = [
        message.get("content"),
        message.get("reasoning_content") or message.get("reasoning"),
        message.get("refusal"),
        *(function.get(name) for function in (*functions, _function(message)) for name in CALL_FIELDS),
    ]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts if isinstance(text, str))


def _function(call: dict[str, Any]) -> dict[str, Any]:
    """What is called: a function, a tool that takes free text, or a function as a message of the older form names it."""
    found = call.get("function") or call.get("custom") or call.get("function_call")
    return found if isinstance(found, dict) else {}


def final(
    request: ChatRequest, model: Model, first: bytes, given: dict[str, Any] | None, usage: Usage, cost: Decimal | None
) -> bytes:
    """The event before `[DONE]`. Clients that did not ask for usage get a choice in it, since some expect one."""
    event = dict(given) if given is not None else _like(first, model)
    event["usage"] = with_cost(event.get("usage"), usage, cost)
    if not request.include_usage:
        event["choices"] = [{"index": 0, "delta": {}, "finish_reason": None}]
    return encode(orjson.dumps(event))


def _like(first: bytes, model: Model) -> dict[str, Any]:
    """An event with the identity of the stream's first one."""
    event: dict[str, Any] = next((orjson.loads(data) for data in payloads(first)), {})
    return {
        "id": event.get("id", "chatcmpl-gateway"),
        "object": "chat.completion.chunk",
        "created": event.get("created", int(time.time())),
        "model": model.api_model_name,
        "choices": [],
    }
