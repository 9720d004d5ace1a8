"""The text of chats in the form of OpenTelemetry's GenAI conventions, for spans of gateways that are told to record it."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson

from shared.domain.chat import ChatRequest, Chunk
from shared.providers.server_sent_events import payloads
from shared.telemetry.tracing import Telemetry, Value

MOST_MESSAGES = 100
"""Messages of a request that are recorded, the last ones."""
MOST_CHARACTERS = 16_000
"""Characters of one part that are recorded."""
MOST_HEARD = 1_000_000
"""Bytes of a stream that are kept to put its answer together."""


def content(telemetry: Telemetry, request: ChatRequest, answer: dict[str, Any] | None) -> dict[str, Value]:
    """The attributes with what was said. Images and files are named by their kind only."""
    said = [message for message in request.payload["messages"] if isinstance(message, dict)][-MOST_MESSAGES:]
    found: dict[str, Value] = {"gen_ai.input.messages": _text(telemetry, [_message(one) for one in said])}
    if answer is not None:
        choices = [choice for choice in answer.get("choices") or () if isinstance(choice, dict)]
        output = [_output(choice) for choice in choices if isinstance(choice.get("message"), dict)]
        found["gen_ai.output.messages"] = _text(telemetry, output)
    return found


class Heard(AsyncIterator[Chunk]):
    """The chunks of a stream, passed on as they come; their bytes are kept to tell afterwards what was said."""

    def __init__(self, first: bytes, rest: AsyncIterator[Chunk]) -> None:
        self._rest = rest
        self._parts = [first]
        self._size = len(first)

    async def __anext__(self) -> Chunk:
        chunk = await anext(self._rest)
        if chunk.data and self._size < MOST_HEARD:
            self._parts.append(chunk.data)
            self._size += len(chunk.data)
        return chunk

    def answer(self) -> dict[str, Any]:
        """What has come by now as one answer in OpenAI's form."""
        found: dict[str, Any] = {}
        choices: dict[int, dict[str, Any]] = {}
        for event in _events(b"".join(self._parts)):
            found = found or {name: event.get(name) for name in ("id", "model")}
            for choice in event.get("choices") or ():
                if isinstance(choice, dict):
                    _add(choices.setdefault(_index(choice), {"message": {"role": "assistant"}}), choice)
        return {**found, "choices": [choices[index] for index in sorted(choices)]}


def _events(data: bytes) -> Iterable[dict[str, Any]]:
    for payload in payloads(data):
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            yield event


def _index(piece: dict[str, Any]) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else 0


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    """Put a piece of a choice to what there is of it."""
    message, delta = choice["message"], piece.get("delta")
    if isinstance(piece.get("finish_reason"), str):
        choice["finish_reason"] = piece["finish_reason"]
    if not isinstance(delta, dict):
        return
    for name in ("content", "reasoning_content"):
        if isinstance(delta.get(name), str):
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        if isinstance(call, dict):
            _add_call(message.setdefault("tool_calls", {}).setdefault(_index(call), {"function": {}}), call)


def _add_call(call: dict[str, Any], piece: dict[str, Any]) -> None:
    call["id"] = piece.get("id") or call.get("id")
    function = piece.get("function")
    for name in ("name", "arguments"):
        if isinstance(function, dict) and isinstance(function.get(name), str):
            call["function"][name] = call["function"].get(name, "") + function[name]


def _output(choice: dict[str, Any]) -> dict[str, Any]:
    return {**_message(choice["message"]), "finish_reason": choice.get("finish_reason") or "error"}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    role, parts = message.get("role") or "assistant", list[dict[str, Any]]()
    if isinstance(reasoning := message.get("reasoning_content"), str) and reasoning:
        parts.append({"type": "reasoning", "content": reasoning[:MOST_CHARACTERS]})
    if role == "tool":
        response = message.get("content")
        text = response if isinstance(response, str) else orjson.dumps(response).decode()
        parts.append(
            {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": text[:MOST_CHARACTERS]}
        )
    else:
        parts += _contents(message.get("content"))
    calls = message.get("tool_calls") or ()
    parts += [_call(call) for call in (calls.values() if isinstance(calls, dict) else calls) if isinstance(call, dict)]
    return {"role": role, "parts": parts}


def _contents(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return [{"type": "text", "content": value[:MOST_CHARACTERS]}] if value else []
    pieces = [piece for piece in value if isinstance(piece, dict)] if isinstance(value, list) else []
    return [
        {"type": "text", "content": text[:MOST_CHARACTERS]}
        if isinstance(text := piece.get("text"), str)
        else {"type": str(piece.get("type"))}
        for piece in pieces
    ]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    named = call.get("function")
    function: dict[str, Any] = named if isinstance(named, dict) else {}
    arguments = str(function.get("arguments") or "")
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": arguments[:MOST_CHARACTERS],
    }


def _text(telemetry: Telemetry, said: list[dict[str, Any]]) -> str:
    return telemetry.redact(orjson.dumps(said, default=str).decode())
