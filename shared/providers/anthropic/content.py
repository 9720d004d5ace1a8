"""Content parts of an OpenAI message as the content blocks of Anthropic's. Pure.

Source: https://platform.claude.com/docs/en/api/messages (ContentBlockParam).
"""

import base64
import binascii
import re
import urllib.parse
from typing import Any

import orjson

from shared.errors import InvalidInput, Unsupported

Block = dict[str, Any]

TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
IMAGE_PARTS = frozenset({"image_url", "input_image"})
FILE_PARTS = frozenset({"file", "input_file"})
NATIVE_PARTS = frozenset(
    {"image", "document", "search_result", "tool_reference", "container_upload", "thinking", "redacted_thinking"}
)
THINKING = frozenset({"thinking", "redacted_thinking"})
FORMAT = "anthropic-claude-v1"
"""What `reasoning_details` calls thinking in Anthropic's form; the name is OpenRouter's."""

DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),(.*)", re.DOTALL)
NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def blocks_of(content: Any, where: str) -> list[Block]:
    """The blocks of a message's content; blank text is left out, since Anthropic refuses it.

    Raises Unsupported for a part that Anthropic has no block for, InvalidInput for one that is malformed.
    """
    if isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        return []
    blocks: list[Block] = []
    for index, part in enumerate(content):
        for block in _part(part, f"{where}.{index}"):
            if isinstance(part.get("cache_control"), dict):
                block["cache_control"] = part["cache_control"]
            blocks.append(block)
    return blocks


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; anything else counts for nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_blocks(text: Any) -> list[Block]:
    """One text block, or none for what is blank or no text."""
    return [{"type": "text", "text": text}] if isinstance(text, str) and text.strip() else []


def tool_use(call: dict[str, Any], identity: str) -> Block:
    """A tool call of an assistant message; the text of a free-text call becomes its input."""
    function, custom = call.get("function"), call.get("custom")
    if isinstance(function, dict):
        name, given = function.get("name"), arguments_of(function.get("arguments"))
    else:
        custom = custom if isinstance(custom, dict) else {}
        name, given = custom.get("name"), {"input": custom.get("input") or ""}
    block: Block = {"type": "tool_use", "id": identity, "name": str(name or ""), "input": given}
    if isinstance(call.get("cache_control"), dict):
        block["cache_control"] = call["cache_control"]
    return block


def arguments_of(arguments: Any) -> dict[str, Any]:
    """A call's arguments as an object; what isn't one, as when a model wrote broken JSON, is wrapped as it stands."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"raw_arguments": arguments}
    return parsed if isinstance(parsed, dict) else {"raw_arguments": arguments}


def tool_id(identity: Any, fallback: str) -> str:
    """A tool call's id with the characters that Anthropic allows; other providers are freer."""
    return NOT_IN_IDS.sub("_", identity) if isinstance(identity, str) and identity else fallback


def invalid(field: str, reason: str) -> InvalidInput:
    """The error for a field that is malformed."""
    return InvalidInput(f"'{field}' is not valid: {reason}.", details={"fields": [{"field": field, "reason": reason}]})


def unsupported(field: str, reason: str) -> Unsupported:
    """The error for a field that is right, but not for Anthropic."""
    return Unsupported(f"'{field}' cannot be used: {reason}.", details={"fields": [{"field": field, "reason": reason}]})


def _part(part: dict[str, Any], where: str) -> list[Block]:
    kind = part.get("type")
    if kind in TEXT_PARTS:
        return text_blocks(part.get("text") or part.get("refusal"))
    if kind in IMAGE_PARTS:
        image = part.get("image_url")
        return [_image(image.get("url") if isinstance(image, dict) else image, where)]
    if kind in FILE_PARTS:
        file = part.get("file")
        return [_file(file if isinstance(file, dict) else part, where)]
    if kind in NATIVE_PARTS:
        return [{**part}]
    raise unsupported(f"{where}.type", f"Anthropic's models take no content part of the type '{kind}'")


def _image(url: Any, where: str) -> Block:
    if not isinstance(url, str):
        raise invalid(f"{where}.image_url.url", "must be a URL")
    if url.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _inline(url, f"{where}.image_url.url")
    return _media(media_type, data)


def _file(file: dict[str, Any], where: str) -> Block:
    if isinstance(identity := file.get("file_id"), str):
        return {"type": "document", "source": {"type": "file", "file_id": identity}}
    if isinstance(url := file.get("file_url"), str):
        return {"type": "document", "source": {"type": "url", "url": url}}
    data = file.get("file_data")
    if not isinstance(data, str):
        raise invalid(f"{where}.file", "must hold 'file_data' or 'file_id'")
    if not data.startswith("data:"):
        data = f"data:application/pdf;base64,{data}"
    block = _media(*_inline(data, f"{where}.file.file_data"))
    if block["type"] == "document" and isinstance(name := file.get("filename"), str) and name:
        block["title"] = name
    return block


def _inline(url: str, field: str) -> tuple[str, str]:
    """Media type and base64 of a data URL (RFC 2397)."""
    found = DATA_URL.fullmatch(url)
    if found is None:
        raise invalid(field, "must be a data, http or https URL")
    media_type, options, data = found[1].lower(), found[2], found[3]
    if ";base64" not in options.lower():
        data = base64.b64encode(urllib.parse.unquote_to_bytes(data)).decode()
    return "image/jpeg" if media_type == "image/jpg" else media_type or "text/plain", data


def _media(media_type: str, data: str) -> Block:
    if media_type.startswith("text/"):
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _decoded(data)}}
    kind = "image" if media_type.startswith("image/") else "document"
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=False).decode("utf-8", "replace")
    except binascii.Error:
        return data
