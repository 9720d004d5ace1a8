"""The body for an OpenAI-compatible provider: the caller's own, with the model's name there. Pure."""

from typing import Any

import orjson

from shared.domain.chat import ChatRequest
from shared.errors import InvalidInput
from shared.providers.translated import payload_of

ADAPTABLE = frozenset(
    {
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "logprobs",
        "top_logprobs",
        "parallel_tool_calls",
        "reasoning_effort",
    }
)
"""Parameters without which an answer is still an answer to the request."""

OWN_FIELDS = frozenset({"reasoning_details", "cache_control"})
"""What a translated request may have in its messages that only some vendors know."""

OTHER_NAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def body(
    request: ChatRequest,
    api_model_name: str,
    *,
    renames: tuple[tuple[str, str], ...] = (),
    message_fields_refused: frozenset[str] = frozenset(),
    unsupported: frozenset[str] = frozenset(),
    well_known: bool = True,
) -> bytes:
    """The request as the provider wants it. A stream always asks for usage, since the ledger needs it.

    `message_fields_refused` are left out of messages, their content parts and tools. `unsupported` parameters go under
    their other name, or are left out. `well_known` is said of vendors in their table. Raises InvalidInput for a payload that is
    nested too deeply to be written, Unsupported for tools that run elsewhere.
    """
    given = request.payload
    if request.native is not None:
        given = payload_of(request, late_system=well_known)
        if not well_known:
            message_fields_refused |= OWN_FIELDS
    payload: dict[str, Any] = {**given, "model": api_model_name}
    for old, new in renames:
        if old in payload and payload.get(new) is None:
            payload[new] = payload.pop(old)
    for name in unsupported:
        value = payload.pop(name, None)
        other = OTHER_NAMES.get(name)
        if value is not None and other is not None and other not in unsupported:
            payload.setdefault(other, value)
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
