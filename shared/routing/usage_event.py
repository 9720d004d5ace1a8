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


def estimate(request: ChatRequest, answer: dict[str, Any]) -> Usage:
    """A guess from the lengths, for a provider that says nothing about usage; it is marked as one."""
    texts = (choice.get("message", {}).get("content") for choice in answer.get("choices", ()))
    characters = sum(len(text) for text in texts if isinstance(text, str))
    return Usage(prompt=request.prompt_tokens, completion=characters // CHARACTERS_PER_TOKEN + 1, estimated=True)


def with_cost(given: Any, usage: Usage, cost: Decimal | None) -> dict[str, Any]:
    """The provider's own usage object with our `cost` in it; null when the price is not known."""
    found = dict(given) if isinstance(given, dict) else usage.to_openai()
    found["cost"] = None if cost is None else float(cost)
    return found


def envelope(first: bytes) -> int:
    """Bytes of an event beside the text in it, as the first events have it."""
    sizes = [len(data) - _text(orjson.loads(data)) + EVENT_BYTES for data in payloads(first)]
    return min(sizes, default=0)


def _text(event: dict[str, Any]) -> int:
    deltas = (choice.get("delta") or {} for choice in event.get("choices") or ())
    return sum(len(value) for delta in deltas for value in delta.values() if isinstance(value, str))


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
