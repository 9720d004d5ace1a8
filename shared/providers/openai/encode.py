"""The body for an OpenAI-compatible provider: the caller's own, with the model's name there. Pure."""

from typing import Any

import orjson

from shared.domain.chat import ChatRequest


def body(request: ChatRequest, api_model_name: str, *, renames: tuple[tuple[str, str], ...] = ()) -> bytes:
    """The request as the provider wants it. A stream always asks for usage, since the ledger needs it."""
    payload: dict[str, Any] = {**request.payload, "model": api_model_name}
    for old, new in renames:
        if old in payload and new not in payload:
            payload[new] = payload.pop(old)
    if request.stream:
        payload["stream_options"] = {**(payload.get("stream_options") or {}), "include_usage": True}
    return orjson.dumps(payload)
