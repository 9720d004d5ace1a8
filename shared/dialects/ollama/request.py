"""Requests for /api/chat and /api/generate of Ollama as chats in OpenAI's form. Pure.

Source: https://docs.ollama.com/api/chat, https://docs.ollama.com/api/generate

A provider that is an Ollama server gets `options` and `keep_alive` besides; other vendors get those of the options that
OpenAI's form has.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.dialects.tool_names import short_name
from shared.errors import InvalidInput, Unsupported, invalid_field

Message = dict[str, Any]
Call = dict[str, Any]

ROLES = frozenset({"system", "user", "assistant", "tool"})
SAMPLING = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")
EFFORTS: Mapping[Any, str] = {True: "medium", False: "none", "low": "low", "medium": "medium", "high": "high"}
MEDIA: Mapping[str, str] = {"/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""How the base64 of an image begins, by what it is; any other is taken for a PNG."""

REFUSED: Mapping[str, str] = {
    "suffix": "the models here are asked for chats, which have no text after the gap",
    "raw": "the prompt goes through each model's own template",
    "template": "each model has its own template",
    "context": "answers here have no context to go on from; use /api/chat with the earlier messages",
}
"""Fields of /api/generate that change what is asked, and why they cannot be heeded."""


def name_of(body: Mapping[str, Any]) -> str:
    """The name of the model, also from the field that older clients use. Raises InvalidInput."""
    name = body.get("model") or body.get("name")
    if not isinstance(name, str) or not name:
        raise invalid_field("model", "this field is required")
    return name


def only_loads(body: Mapping[str, Any]) -> bool:
    """Whether a request asks for no answer: Ollama loads the model for it, or unloads it."""
    return not any(body.get(name) for name in ("messages", "prompt", "images", *REFUSED))


def chat_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request for /api/chat in OpenAI's form. Raises InvalidInput that names the field."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid_field("messages", "this field is required, and must be a list of messages")
    payload = {**_common(body), "messages": _Conversation().read(messages)}
    if tools := _tools(body.get("tools")):
        payload["tools"] = tools
    return payload


def prompt_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request for /api/generate as a chat of one turn. Raises InvalidInput, Unsupported for what no chat can say."""
    for name, reason in REFUSED.items():
        if body.get(name):
            raise Unsupported(
                f"'{name}' cannot be used: {reason}.", details={"fields": [{"field": name, "reason": reason}]}
            )
    prompt, system = body.get("prompt") or "", body.get("system") or ""
    for name, value in (("prompt", prompt), ("system", system)):
        if not isinstance(value, str):
            raise invalid_field(name, "must be text")
    turn = {"role": "user", "content": _content(prompt, body.get("images"), "images")}
    instructions = [{"role": "system", "content": system}] if system else []
    return {**_common(body), "messages": [*instructions, turn]}


def tool_names(body: Mapping[str, Any]) -> list[str]:
    """The names of the tools that a request declares."""
    tools = body.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    found = [function.get("name") for function in functions if isinstance(function, dict)]
    return [name for name in found if isinstance(name, str)]


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise invalid_field("stream", "must be true or false")
    payload: dict[str, Any] = {"model": name_of(body), "stream": stream is not False, **_options(body.get("options"))}
    if (think := body.get("think")) is not None:
        if not isinstance(think, bool | str) or think not in EFFORTS:
            raise invalid_field("think", "must be true, false, low, medium or high")
        payload["reasoning_effort"] = EFFORTS[think]
    if form := body.get("format"):
        payload["response_format"] = _form(form)
    if (options := body.get("gateway")) is not None:
        payload["gateway"] = options
    return payload


def _options(options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise invalid_field("options", "must be an object")
    found = {name: options[name] for name in SAMPLING if options.get(name) is not None}
    limit = options.get("num_predict")
    if isinstance(limit, int) and limit > 0:  # anything below means no limit
        found["max_tokens"] = limit
    return found


def _form(form: Any) -> dict[str, Any]:
    if form == "json":
        return {"type": "json_object"}
    if not isinstance(form, dict):
        raise invalid_field("format", 'must be "json" or a JSON Schema object')
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}


def _content(text: str, images: Any, where: str) -> str | list[dict[str, Any]]:
    """Text, or with images content parts."""
    if not images:
        return text
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise invalid_field(where, "must be a list of images in base64")
    parts = [{"type": "image_url", "image_url": {"url": _address(image)}} for image in images]
    return [*([{"type": "text", "text": text}] if text else []), *parts]


def _address(image: str) -> str:
    if image.startswith("data:"):
        return image
    media = next((media for start, media in MEDIA.items() if image.startswith(start)), "image/png")
    return f"data:{media};base64,{image}"


def _tools(tools: Any) -> list[dict[str, Any]]:
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise invalid_field("tools", "must be a list of objects")
    return [_tool(tool, f"tools.{index}.function") for index, tool in enumerate(tools)]


def _tool(tool: Any, where: str) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(name := function.get("name"), str) or not name:
        raise invalid_field(where, "must be an object with 'name'")
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return {"type": "function", "function": {**function, "name": short_name(name), "parameters": parameters}}


class _Conversation:
    """Reads messages in order. Calls of tools get ids where they have none; results find their call by id, name or order."""

    def __init__(self) -> None:
        self._calls = 0
        self._open: list[Call] = []

    def read(self, messages: list[Any]) -> list[Message]:
        return [self._message(message, f"messages.{index}") for index, message in enumerate(messages)]

    def _message(self, message: Any, where: str) -> Message:
        if not isinstance(message, dict):
            raise invalid_field(where, "must be an object with 'role' and 'content'")
        role, text, images = message.get("role"), message.get("content") or "", message.get("images")
        if not isinstance(role, str) or role not in ROLES:
            raise invalid_field(f"{where}.role", "must be system, user, assistant or tool")
        if not isinstance(text, str):
            raise invalid_field(f"{where}.content", "must be text")
        if images and role != "user":
            raise invalid_field(f"{where}.images", "only messages of the user can have images")
        if role == "assistant":
            return self._assistant(message, text, where)
        if role == "tool":
            return {"role": "tool", "tool_call_id": self._answered(message, where), "content": text}
        return {"role": role, "content": _content(text, images, f"{where}.images")}

    def _assistant(self, message: Message, text: str, where: str) -> Message:
        made: Message = {"role": "assistant", "content": text}
        if isinstance(thinking := message.get("thinking"), str) and thinking:
            made["reasoning_content"] = thinking
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise invalid_field(f"{where}.tool_calls", "must be a list of objects")
        if calls:
            self._open = [self._call(call, f"{where}.tool_calls.{index}") for index, call in enumerate(calls)]
            made.update(content=text or None, tool_calls=list(self._open))
        return made

    def _call(self, call: Any, where: str) -> Call:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(name := function.get("name"), str):
            raise invalid_field(where, "must have 'function' with 'name' and 'arguments'")
        self._calls += 1
        identity, given = call.get("id"), function.get("arguments")
        try:
            arguments = given if isinstance(given, str) else orjson.dumps({} if given is None else given).decode()
        except orjson.JSONEncodeError:
            raise InvalidInput("The request body is nested too deeply.") from None
        return {
            "id": identity if isinstance(identity, str) and identity else f"call_{self._calls}",
            "type": "function",
            "function": {"name": short_name(name), "arguments": arguments},
        }

    def _answered(self, message: Message, where: str) -> str:
        """The id of the call that a result is for: the one it names, else the first that has no result yet."""
        identity, name = message.get("tool_call_id"), message.get("tool_name") or message.get("name")
        waiting = [call for call in self._open if call["id"] == identity]
        if not waiting and isinstance(name, str):
            waiting = [call for call in self._open if call["function"]["name"] == short_name(name)]
        if not waiting and not identity:
            waiting = self._open
        if not waiting:
            raise invalid_field(where, "no call of a tool in the messages before it waits for this result")
        found = waiting[0]
        self._open = [call for call in self._open if call is not found]
        return str(found["id"])
