"""The parts of an answer's text: its fenced blocks, the prose around them, the JSON that it is or holds. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

FENCE = re.compile(r"[ \t]*```[ \t]*([\w+#.-]*)[^`]*$")
NOT_CODE = frozenset({"text", "txt", "markdown", "md", "latex", "math", "output"})
JSON = frozenset({"", "json", "jsonc", "json5"})

Block = tuple[str, str]


def parsed(text: Any) -> Any:
    """The JSON value that a text is; None when it is none."""
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Fenced:
    """The parts of a Markdown text: its fenced blocks of code, and the prose around them."""

    code: tuple[Block, ...]
    prose: str


def fenced(text: str) -> Fenced:
    """Split a text at its fences. A block that is not closed goes to the end."""
    parts: list[tuple[str | None, list[str]]] = [(None, [])]
    for line in text.split("\n"):
        mark, inside = FENCE.match(line), parts[-1][0] is not None
        if mark and (not inside or not mark[1]):
            parts.append((None if inside else mark[1].lower(), []))
        else:
            parts[-1][1].append(line)
    code = tuple(
        (language, "\n".join(lines)) for language, lines in parts if language is not None and _is_code(language)
    )
    return Fenced(code, "\n".join(line for language, lines in parts if not _is_code(language) for line in lines))


def _is_code(language: str | None) -> bool:
    return language is not None and language not in NOT_CODE


def unwrapped(payload: dict[str, Any]) -> dict[str, Any]:
    """An answer that was to be JSON, with that in place of each text that holds it as its only fenced block."""
    return {**payload, "choices": [_unwrapped(choice) for choice in payload["choices"]]}


def _unwrapped(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = choice["message"]
    text = message.get("content")
    if (
        not isinstance(text, str)
        or "```" not in text
        or choice.get("finish_reason") == "length"
        or message.get("tool_calls")
    ):
        return choice
    code = fenced(text).code
    if parsed(text) is not None or len(code) != 1 or code[0][0] not in JSON or parsed(code[0][1]) is None:
        return choice
    return {**choice, "message": {**message, "content": code[0][1].strip()}}
