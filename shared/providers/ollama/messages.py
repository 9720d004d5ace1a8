"""OpenAI's messages as Ollama's: text and images apart, tool calls with their arguments as objects. Pure.

Source: https://docs.ollama.com/api/chat
"""

import base64
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import InvalidInput, Unsupported, invalid_field

Message = dict[str, Any]

ROLES: Mapping[str, str] = {"developer": "system", "function": "tool"}
TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
IMAGE_PARTS = frozenset({"image_url", "input_image"})
DATA_URL = re.compile(r"data:[^;,]*((?:;[^;,]*)*),(.*)", re.DOTALL)


def messages_of(messages: list[Message]) -> list[Message]:
    """The conversation. Raises Unsupported for parts that Ollama cannot take, InvalidInput for malformed ones."""
    names: dict[str, str] = {}
    return [_message(message, names, f"messages.{index}") for index, message in enumerate(messages)]


def unsupported(field: str, reason: str) -> Unsupported:
    """The error for a field that is right, but not for Ollama."""
    return Unsupported(f"'{field}' cannot be used: {reason}.", details={"fields": [{"field": field, "reason": reason}]})


def _message(message: Message, names: dict[str, str], where: str) -> Message:
    text, images = _content(message.get("content"), f"{where}.content")
    role = message["role"]
    made: Message = {"role": ROLES.get(role, role), "content": text or _text(message.get("refusal"))}
    if images:
        made["images"] = images
    if role == "assistant":
        made.update(_said(message, names))
    elif made["role"] == "tool":
        identity = message.get("tool_call_id")
        name = message.get("name") or names.get(str(identity))
        made.update({"tool_name": name} if isinstance(name, str) else {})
        made.update({"tool_call_id": identity} if isinstance(identity, str) else {})
    return made


def _said(message: Message, names: dict[str, str]) -> Message:
    """What an assistant's message holds beside its text; `names` learns which tool each call was for."""
    said: Message = {}
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thinking, str) and thinking:
        said["thinking"] = thinking
    given = message.get("tool_calls")
    calls = [_call(call, names) for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    if isinstance(legacy := message.get("function_call"), dict):
        calls.append(_call({"function": legacy}, names))
    if calls:
        said["tool_calls"] = calls
    return said


def _call(call: Message, names: dict[str, str]) -> Message:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    name = _text(function.get("name"))
    made: Message = {"function": {"name": name, "arguments": _arguments(function.get("arguments"))}}
    if isinstance(identity := call.get("id"), str):
        made["id"] = identity
        names[identity] = name
    return made


def _arguments(arguments: Any) -> dict[str, Any]:
    """A call's arguments as an object; what isn't one, as when a model wrote broken JSON, is wrapped as it stands."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"raw_arguments": arguments}


def _content(content: Any, where: str) -> tuple[str, list[str]]:
    """The text of a message, and its images as base64."""
    if not isinstance(content, list):
        return _text(content), []
    texts: list[str] = []
    images: list[str] = []
    for index, part in enumerate(content):
        kind = part.get("type")
        if kind in TEXT_PARTS:
            texts.append(_text(part.get("text") or part.get("refusal")))
        elif kind in IMAGE_PARTS:
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            images.append(_image(url, f"{where}.{index}.image_url.url"))
        else:
            raise unsupported(f"{where}.{index}.type", f"Ollama takes no content part of the type '{kind}'")
    return "\n".join(text for text in texts if text), images


def _image(url: Any, field: str) -> str:
    """The base64 of a data URL (RFC 2397). Ollama fetches nothing, and neither do we on a caller's word."""
    if not isinstance(url, str):
        raise invalid_field(field, "must be a URL")
    if url.startswith(("https://", "http://")):
        raise unsupported(field, "Ollama takes images as data URLs only; send the image itself")
    found = DATA_URL.fullmatch(url)
    if found is None:
        raise _malformed(field)
    if ";base64" in found[1].lower():
        return found[2]
    return base64.b64encode(urllib.parse.unquote_to_bytes(found[2])).decode()


def _malformed(field: str) -> InvalidInput:
    return invalid_field(field, "must be a data URL")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
