"""What an answer itself shows of not being good enough. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from shared.domain.chat import ChatRequest
from shared.routing.checks.schemas import fits

Shortcoming = Literal["refused", "truncated", "empty", "invalid_json", "invalid_schema", "invalid_tool_call"]


def shortcoming(request: ChatRequest, answer: Mapping[str, Any]) -> Shortcoming | None:
    """The first thing that is wrong with an answer; None when nothing shows. One good choice among several is enough."""
    found = [_of_choice(request, choice) for choice in answer["choices"]]
    return None if None in found else found[0]


def _of_choice(request: ChatRequest, choice: Mapping[str, Any]) -> Shortcoming | None:
    message, reason = choice["message"], choice.get("finish_reason")
    if message.get("refusal") or reason == "content_filter":
        return "refused"
    if reason == "length" and request.facts.max_tokens is None:
        return "truncated"
    if calls := message.get("tool_calls"):
        return None if all(map(_callable, calls)) else "invalid_tool_call"
    text = message.get("content")
    if not text and not message.get("audio"):
        return "empty"
    return _of_form(request, text) if reason != "length" and request.facts.needs_schema else None


def _callable(call: Any) -> bool:
    """Whether the arguments of a tool call are an object, as the API promises."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return True  # a kind of call that we do not know
    return isinstance(parsed(function.get("arguments")), dict)


def _of_form(request: ChatRequest, text: Any) -> Shortcoming | None:
    value, form = parsed(text), request.payload["response_format"]
    if value is None or (form["type"] == "json_object" and not isinstance(value, dict)):
        return "invalid_json"
    wanted = form.get("json_schema")
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return None if not isinstance(schema, dict) or fits(value, schema) else "invalid_schema"


def parsed(text: Any) -> Any:
    """The JSON value that a text is; None when it is none."""
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None
