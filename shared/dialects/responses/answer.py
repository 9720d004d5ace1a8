"""An answer in a chat's form as a response: its items, and the object around them. Pure.

Source: https://developers.openai.com/api/reference/resources/responses (Response)
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from shared.dialects.responses.sealing import Sealing
from shared.dialects.responses.tools import Declared, Item, Toolbox, free_text
from shared.domain.usage import Usage

Status = Literal["in_progress", "completed", "incomplete", "failed"]

DEFAULTS: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "auto",
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what stands there when that says nothing."""

INCOMPLETE: Mapping[str, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
SEALED_REASONING = "reasoning.encrypted_content"
PREFIX = "resp_"


def new_id() -> str:
    """The id of a response. Those of its items begin with the same characters, so that an item tells its response."""
    return f"{PREFIX}{secrets.token_hex(24)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer belongs to. `fields` is what it repeats of the request; `sealed` says that the client keeps reasoning itself."""

    identity: str
    created_at: int
    fields: Mapping[str, Any]
    toolbox: Toolbox
    sealing: Sealing
    sealed: bool

    def item_id(self, prefix: str, place: int) -> str:
        """The id of an item at that place."""
        return f"{prefix}_{self.identity.removeprefix(PREFIX)}{place:04x}"


def repeated(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a response repeats of its request."""
    return {name: default if body.get(name) is None else body[name] for name, default in DEFAULTS.items()}


def wants_sealed(body: Mapping[str, Any]) -> bool:
    """Whether the client keeps the conversation itself: it asks for sealed reasoning, or for nothing to be stored."""
    include = body.get("include")
    return body.get("store") is False or (isinstance(include, list) and SEALED_REASONING in include)


def response_of(asked: Asked, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The response for a whole answer."""
    choice: Mapping[str, Any] = next(iter(answer.get("choices") or ()), {})
    output = _output(asked, choice.get("message") or {})
    return {
        **shell(asked, answer.get("model"), **ending(choice)),
        "output": output,
        "usage": usage_object(answer.get("usage")),
    }


def shell(
    asked: Asked, model: Any, *, status: Status, incomplete: str = "", error: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A response around its output."""
    return {
        "id": asked.identity,
        "object": "response",
        "created_at": asked.created_at,
        "status": status,
        "error": error,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "model": model,
        "output": [],
        "usage": None,
        **asked.fields,
    }


def ending(choice: Mapping[str, Any]) -> dict[str, Any]:
    """The status of an answer that has come to its end, and why it is incomplete where it is."""
    reason = INCOMPLETE.get(str(choice.get("finish_reason")), "")
    return {"status": "incomplete" if reason else "completed", "incomplete": reason}


def usage_object(usage: Any) -> dict[str, Any]:
    """Usage as the Responses API counts it."""
    used = Usage.from_openai(usage if isinstance(usage, dict) else None)
    return {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "output_tokens": used.completion,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.prompt + used.completion,
    }


def reasoning_item(asked: Asked, place: int, kept: Mapping[str, Any]) -> Item:
    """Reasoning: its text as a summary, and all of it sealed where the client keeps it. `kept` has `text`, `details`, `blocks`."""
    text = kept.get("text")
    item: Item = {
        "id": asked.item_id("rs", place),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
    }
    if asked.sealed:
        item["encrypted_content"] = asked.sealing.sealed({name: value for name, value in kept.items() if value})
    return item


def message_item(asked: Asked, place: int, content: list[Item], status: Status = "completed") -> Item:
    """What the model says."""
    return {
        "id": asked.item_id("msg", place),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def text_part(text: str, annotations: list[Item] | None = None) -> Item:
    """Text in a message."""
    return {"type": "output_text", "text": text, "annotations": annotations or [], "logprobs": []}


def refusal_part(text: str) -> Item:
    """Words of refusal in a message."""
    return {"type": "refusal", "refusal": text}


def call_item(asked: Asked, place: int, call_id: str, tool: Declared, arguments: str, status: Status) -> Item:
    """A call of a tool, of the kind that the client declared. Without `arguments` it is about to come."""
    named = {"name": tool.name, **({"namespace": tool.namespace} if tool.namespace else {})}
    if tool.kind == "custom":
        told = {"type": "custom_tool_call", "call_id": call_id, **named, "input": free_text(arguments)}
        return {"id": asked.item_id("ctc", place), "status": status, **told}
    if tool.kind == "tool_search":
        found = {"type": "tool_search_call", "call_id": call_id, "execution": "client", "arguments": _object(arguments)}
        return {"id": asked.item_id("tsc", place), "status": status, **found}
    function = {"type": "function_call", "call_id": call_id, **named, "arguments": arguments}
    return {"id": asked.item_id("fc", place), "status": status, **function}


def call_id_of(identity: Any) -> str:
    """The id of a call, or a new one."""
    return str(identity) if identity else f"call_{secrets.token_hex(12)}"


def annotations_of(annotations: Any) -> list[Item]:
    """Citations of pages, as the parts of a response have them."""
    found = annotations if isinstance(annotations, list) else []
    return [
        {"type": "url_citation", **item["url_citation"]}
        for item in found
        if isinstance(item, dict) and isinstance(item.get("url_citation"), dict)
    ]


def _output(asked: Asked, told: Mapping[str, Any]) -> list[Item]:
    output: list[Item] = []
    thought = told.get("reasoning_content") or told.get("reasoning")
    text = thought if isinstance(thought, str) else ""
    details, blocks = told.get("reasoning_details"), told.get("anthropic_content")
    if text or details or blocks:
        output.append(reasoning_item(asked, 0, {"text": text, "details": details, "blocks": blocks}))
    parts = []
    if said := _text(told.get("content")):
        parts.append(text_part(said, annotations_of(told.get("annotations"))))
    elif refused := told.get("refusal"):
        parts.append(refusal_part(str(refused)))
    if parts:
        output.append(message_item(asked, len(output), parts))
    for call in told.get("tool_calls") or ():
        if isinstance(call, dict):
            output.append(_called(asked, len(output), call))
    return output


def _called(asked: Asked, place: int, call: Mapping[str, Any]) -> Item:
    function = call.get("function") or call.get("custom") or {}
    tool = asked.toolbox.called(str(function.get("name") or ""))
    arguments = str(function.get("arguments") or function.get("input") or "")
    return call_item(asked, place, call_id_of(call.get("id")), tool, arguments or "{}", "completed")


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _object(arguments: str) -> Any:
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"query": arguments} if arguments else {}
