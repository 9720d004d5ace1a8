"""What an answer itself shows of not being good enough. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from shared.domain.chat import ChatRequest
from shared.routing.checks.blocks import parsed
from shared.routing.checks.refusals import is_refusal
from shared.routing.checks.schemas import fits
from shared.routing.checks.tool_calls import Tools, fault_of, is_written_call, tools_of

Shortcoming = Literal[
    "refused",
    "truncated",
    "empty",
    "invalid_json",
    "invalid_schema",
    "invalid_tool_call",
    "unknown_tool",
    "invalid_tool_arguments",
    "tool_call_as_text",
]


def shortcoming(request: ChatRequest, answer: Mapping[str, Any]) -> Shortcoming | None:
    """The first thing that is wrong with an answer; None when nothing shows. One good choice among several is enough."""
    tools = tools_of(request.payload)
    found = [_of_choice(request, choice, tools) for choice in answer["choices"]]
    return None if None in found else found[0]


def _of_choice(request: ChatRequest, choice: Mapping[str, Any], tools: Tools) -> Shortcoming | None:
    message, reason = choice["message"], choice.get("finish_reason")
    if message.get("refusal") or reason == "content_filter":
        return "refused"
    if reason == "length" and request.facts.max_tokens is None:
        return "truncated"
    if calls := message.get("tool_calls"):
        return next((fault for call in calls if (fault := fault_of(call, tools))), None)
    text = message.get("content")
    if not text and not message.get("audio"):
        return "empty"
    if reason != "length" and request.facts.needs_schema:
        return _of_form(request, text)
    return _of_text(text, tools) if isinstance(text, str) else None


def _of_text(text: str, tools: Tools) -> Shortcoming | None:
    if is_refusal(text):
        return "refused"
    return "tool_call_as_text" if is_written_call(text, tools) else None


def _of_form(request: ChatRequest, text: Any) -> Shortcoming | None:
    value, form = parsed(text), request.payload["response_format"]
    if value is None or (form["type"] == "json_object" and not isinstance(value, dict)):
        return "invalid_json"
    wanted = form.get("json_schema")
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return None if not isinstance(schema, dict) or fits(value, schema) else "invalid_schema"
