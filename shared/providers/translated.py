"""A chat that was translated from another dialect, as vendors of this one take it. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from shared.domain.chat import ChatRequest
from shared.errors import Unsupported

SERVER_TOOL = re.compile(r"_\d{8}")
"""How the type of a tool ends that runs at Anthropic, such as web_search_20250305."""

OPERATOR = "[From the operator of this program, not from the user:]"


def payload_of(request: ChatRequest, *, late_system: bool, server_tools: bool = False) -> dict[str, Any]:
    """The payload to encode. `late_system` says that a system message may stand after the first turn, `server_tools` that
    tools of Anthropic's servers may be asked for. Raises Unsupported.
    """
    payload = request.payload
    if request.native is None:
        return payload
    if not server_tools:
        _refuse_server_tools(payload.get("tools") or ())
    if late_system:
        return payload
    return {**payload, "messages": in_place(payload["messages"])}


def in_place(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation with system messages at its beginning only; later ones become part of the user's turn, where they
    stand: moved to the front they would change the beginning that prompt caches know. None comes between a call of a tool
    and its result.
    """
    placed: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    open_calls: set[Any] = set()
    for message in messages:
        role = message["role"]
        if role == "tool":
            open_calls.discard(message.get("tool_call_id"))
        elif role == "system" and any(earlier["role"] != "system" for earlier in placed[-1:]):
            waiting.append(_as_user(message))
            message = {}
        elif role == "assistant":
            placed += _flushed(placed, waiting)
            open_calls = {call.get("id") for call in message.get("tool_calls") or ()}
        if message:
            placed.append(message)
        if waiting and not open_calls:
            placed += _flushed(placed, waiting)
    return placed + _flushed(placed, waiting)


def _flushed(placed: list[dict[str, Any]], waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What waits; joined to the user's turn before it where there is one, since some templates want turns to alternate."""
    found = list(waiting)
    waiting.clear()
    if found and placed and placed[-1]["role"] == "user":
        last = placed[-1]
        placed[-1] = {**last, "content": [*_parts(last), *(part for item in found for part in _parts(item))]}
        return []
    return found


def _as_user(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": OPERATOR}, *_parts(message)]}


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else [{"type": "text", "text": content or ""}]


def _refuse_server_tools(tools: Any) -> None:
    for tool in tools:
        kind = tool.get("type")
        if isinstance(kind, str) and SERVER_TOOL.search(kind):
            raise Unsupported(
                f"The tool '{tool.get('name') or kind}' runs on Anthropic's servers, and this request was not routed to a model "
                "there. Name a Claude model whose provider is Anthropic, or use another tool.",
                details={"fields": [{"field": "tools", "reason": f"{kind} runs on Anthropic's servers only"}]},
            )
