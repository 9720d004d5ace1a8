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

    Raises InvalidInput for a payload that is nested too deeply to be written.
    """
    payload: dict[str, Any] = {**request.payload, "model": api_model_name}
    for old, new in renames:
        if old in payload and new not in payload:
            payload[new] = payload.pop(old)
    if message_fields_refused:
        payload["messages"] = [_without(message, message_fields_refused) for message in payload["messages"]]
    if request.stream:
        payload["stream_options"] = {**(payload.get("stream_options") or {}), "include_usage": True}
    try:
        return orjson.dumps(payload)
    except orjson.JSONEncodeError:
        raise InvalidInput("The request body is nested too deeply.") from None


def _without(message: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    if fields.isdisjoint(message):
        return message
    return {name: value for name, value in message.items() if name not in fields}
