"""Whether two answers say the same. Pure.

Short answers are compared by what they come to: a number, a choice, a JSON value. Others by how many words they share.
"""

import re
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from shared.routing.checks.evidence import parsed

ALIKE = 0.75
SHORT = 400
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?")
BOXED = re.compile(r"\\boxed\{([^{}]*)\}|####\s*(\S+)")
CHOICE = re.compile(r"^\W*(?:(?:the\s+)?(?:correct\s+)?answer(?:\s+is)?\W*)?\(?([A-Ja-j])\)?\W*$", re.IGNORECASE)
LAST_CHOICE = re.compile(r"answer\s*(?:is|:)?\W*\(?([A-J])\)?(?=\W|$)")
WORD = re.compile(r"\w+", re.UNICODE)
YES_NO = frozenset({"yes", "no", "true", "false"})


def alike(one: str, other: str) -> bool:
    """Whether the two texts give the same answer."""
    first, second = parsed(_unfenced(one)), parsed(_unfenced(other))
    if isinstance(first, dict | list) and isinstance(second, dict | list):
        return bool(first == second)
    mine, theirs = _gist(one), _gist(other)
    if mine is not None or theirs is not None:
        return bool(mine == theirs)
    return _overlap(one, other) >= ALIKE


def _gist(text: str) -> Any:
    """What a text comes to when it is a choice, a yes or no, or a number; None when it is prose."""
    text = text.strip()
    if choice := (CHOICE.match(text) if len(text) <= SHORT else None) or _last(LAST_CHOICE, text):
        return "choice", choice[1].upper()
    words = WORD.findall(text.lower())
    if words and words[0] in YES_NO and len(text) <= SHORT:
        return "verdict", words[0] in ("yes", "true")
    if boxed := _last(BOXED, text):
        inner = (boxed[1] or boxed[2]).strip()
        return "number", _number(inner) if _number(inner) is not None else inner
    numbers = NUMBER.findall(text)
    if numbers and (len(text) <= SHORT or len(numbers) >= 3):
        return "number", _number(numbers[-1])
    return None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text[-2_000:]):  # noqa: B007 - the last one is wanted
        pass
    return found


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "").strip(" $%.")).normalize()
    except InvalidOperation:
        return None


def _unfenced(text: str) -> str:
    """What stands inside a Markdown fence that is all there is."""
    found = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", text, re.DOTALL)
    return found[1] if found else text


def _overlap(one: str, other: str) -> float:
    """Shared words by all words (Jaccard), over pairs of neighbours so that order counts."""
    first, second = _pairs(one), _pairs(other)
    return len(first & second) / len(first | second) if first | second else 1.0


def _pairs(text: str) -> set[tuple[str, ...]]:
    words = [word.casefold() for word in WORD.findall(text)]
    return set(pairwise(words)) if len(words) > 1 else {tuple(words)}
