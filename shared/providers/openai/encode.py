"""The body for an OpenAI-compatible provider: the caller's own, with the model's name there. Pure."""

from typing import Any

import orjson

from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput


def body(
    request: ChatRequest,
    api_model_name: str,
    *,
    renames: tuple[tuple[str, str], ...] = (),
    message_fields_refused: frozenset[str] = frozenset(),
) -> bytes:
    """The request as the provider wants it. A stream always asks for usage, since the ledger needs it.

    `message_fields_refused` are left out of messages, their content parts and tools. Raises InvalidInput for a payload that is nested too deeply to be written.
    """
    payload: dict[str, Any] = {**request.payload, "model": api_model_name}
    for old, new in renames:
        if old in payload and payload.get(new) is None:
            payload[new] = payload.pop(old)
    if message_fields_refused:
        for name in ("messages", "tools"):
            if isinstance(payload.get(name), list):
                payload[name] = [_without(item, message_fields_refused) for item in payload[name]]
    if request.stream:
        payload["stream_options"] = {**(payload.get("stream_options") or {}), "include_usage": True}
    try:
        return orjson.dumps(payload)
    except orjson.JSONEncodeError:
        raise InvalidInput("The request body is nested too deeply.") from None


def _without(item: Any, fields: frozenset[str]) -> Any:
    """An object without those fields, in itself and in the parts of its content or its function."""
    if not isinstance(item, dict):
        return item
    inner = item.get("content"), item.get("function")
    if fields.isdisjoint(item) and not any(isinstance(value, list | dict) for value in inner):
        return item
    kept = {name: value for name, value in item.items() if name not in fields}
    if isinstance(kept.get("content"), list):
        kept["content"] = [_without(part, fields) for part in kept["content"]]
    if isinstance(kept.get("function"), dict):
        kept["function"] = _without(kept["function"], fields)
    return kept
