"""A request for the Responses API as a chat. Pure.

Source: https://developers.openai.com/api/reference/resources/responses/methods/create

A provider that speaks the Responses API itself gets the caller's own body; this form is what routing reads, and what all
other providers get.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.dialects.responses.items import items_in, kind_of, messages_of
from shared.dialects.responses.sealing import Sealing
from shared.dialects.responses.tools import SEARCH, Item, Toolbox
from shared.errors import Unsupported, invalid_field

SAME = ("model", "temperature", "top_p", "stream", "gateway", "user", "service_tier")
REFUSED: Mapping[str, str] = {
    "background": "answers are given at once or as a stream; nothing runs in the background",
    "conversation": "conversations are not kept here; use previous_response_id",
    "prompt": "prompts are not kept here; send instructions and input",
}
LONGEST_SESSION = 200


def toolbox_of(body: Mapping[str, Any], items: Sequence[tuple[str, Item]]) -> Toolbox:
    """The tools of a request: those declared with it, and those that items of the conversation bring. Raises InvalidInput."""
    toolbox = Toolbox()
    toolbox.add(body.get("tools"), "tools")
    for where, item in items:
        if item.get("type") in ("additional_tools", f"{SEARCH}_output"):
            toolbox.add(item.get("tools"), f"{where}.tools")
    return toolbox


def to_chat(
    body: Mapping[str, Any], toolbox: Toolbox, items: Sequence[tuple[str, Item]], sealing: Sealing
) -> dict[str, Any]:
    """The chat that a request asks for, with these items as its conversation. Raises InvalidInput that names the field,
    Unsupported for what no chat can do.
    """
    for name, reason in REFUSED.items():
        if body.get(name):
            raise Unsupported(
                f"'{name}' cannot be used: {reason}.", details={"fields": [{"field": name, "reason": reason}]}
            )
    payload: dict[str, Any] = {name: body[name] for name in SAME if body.get(name) is not None}
    payload["messages"] = messages_of([*_instructions(body.get("instructions")), *items], sealing)
    if not payload["messages"]:
        raise invalid_field("input", "this field is required, and there must be text in it")
    if (limit := body.get("max_output_tokens")) is not None:
        payload["max_tokens"] = _limit(limit)
    payload.update(toolbox.choice(body.get("tool_choice")))
    if "tools" in payload and body.get("parallel_tool_calls") is False:
        payload["parallel_tool_calls"] = False
    if (effort := _inner(body, "reasoning").get("effort")) is not None:
        payload["reasoning_effort"] = effort
    if (form := _form(_inner(body, "text").get("format"))) is not None:
        payload["response_format"] = form
    return _in_session(payload, body.get("prompt_cache_key"))


def own_items(body: Mapping[str, Any]) -> list[tuple[str, Item]]:
    """The items of a request's input, each with its place in it. Raises InvalidInput."""
    items = items_in(body.get("input"))
    for where, item in items:
        kind_of(item, where)
    return items


def _instructions(instructions: Any) -> list[tuple[str, Item]]:
    if instructions is None or instructions == "":
        return []
    if not isinstance(instructions, str):
        raise invalid_field("instructions", "must be text")
    return [("instructions", {"type": "message", "role": "system", "content": instructions})]


def _limit(limit: Any) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise invalid_field("max_output_tokens", "must be a whole number of at least 1")
    return limit


def _inner(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_field(name, "must be an object")
    return value


def _form(form: Any) -> dict[str, Any] | None:
    if form is None:
        return None
    if not isinstance(form, dict):
        raise invalid_field("text.format", "must be an object with 'type'")
    kind = form.get("type")
    if kind == "json_schema":
        schema = {name: form[name] for name in ("schema", "strict", "description") if form.get(name) is not None}
        return {"type": "json_schema", "json_schema": {"name": form.get("name") or "answer", **schema}}
    return {"type": "json_object"} if kind == "json_object" else None


def _in_session(payload: dict[str, Any], key: Any) -> dict[str, Any]:
    """The chat with the client's key of its prompt cache as the name of the conversation, unless it has another."""
    options = payload.get("gateway")
    if not isinstance(key, str) or not (0 < len(key) <= LONGEST_SESSION and key.isprintable()):
        return payload
    if options is None or isinstance(options, dict):
        payload["gateway"] = {"session": key, **(options or {})}
    return payload
