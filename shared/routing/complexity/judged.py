"""What of a conversation is judged: what the user asked for last, in a bounded length."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.routing.complexity.reading import clipped

SAYS_LITTLE = 24
"""A last message below this length ("yes", "go on, please") is judged together with the one before it."""

MAX_PARTS = 64
_TEXT_PARTS = frozenset({"text", "input_text"})


def judged_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message, led by the one before when it says little; without either, the instructions.

    Answers, tool results and images are passed over: while a tool loop runs, its task stays what the user asked for.
    Instructions are the same in each request of an application, and drown what sets one apart.
    """
    asked = _texts(reversed(messages), {"user"})
    last = next(asked, "")
    if not last:
        return next(_texts(messages, {"system", "developer"}), "")
    if len(last) < SAYS_LITTLE and (before := next(asked, "")):
        return clipped(f"{before}\n{last}")
    return last


def _texts(messages: Iterable[Mapping[str, Any]], roles: set[str]) -> Iterator[str]:
    for message in messages:
        if message.get("role") in roles and (text := _text(message.get("content"))):
            yield text


def _text(content: object) -> str:
    """The text of a message, clipped. Whitespace alone is none."""
    if isinstance(content, str):
        return clipped(content).strip()
    if not isinstance(content, list):
        return ""
    parts = content if len(content) <= MAX_PARTS else [*content[: MAX_PARTS // 2], *content[-MAX_PARTS // 2 :]]
    texts = [
        part["text"]
        for part in parts
        if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str)
    ]
    return clipped("\n".join(map(clipped, texts))).strip()
