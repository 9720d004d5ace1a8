"""Whether two answers say the same. Pure.

Answers that come to a number, a choice, a yes or no, or a JSON value are compared by that, and only where that is all they
are, or where they say so ("the answer is …"). Others are alike when they share three quarters of their words, in order: an
agreement that is missed costs a call, one that is wrong costs an answer.
"""

import re
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from shared.routing.checks.evidence import parsed

ALIKE = 0.75
SHORT = 60
TAIL = 2_000
MOST_DIGITS = 50

NUMBER = r"-?\d[\d,]{0,60}(?:\.\d{1,60})?"
ONLY_NUMBER = re.compile(rf"^\W*({NUMBER})\s*[%°]?\W*$")
SAID_NUMBER = re.compile(rf"(?:answer|result|total)\s*(?:is|:|=)+\s*\W{{0,3}}({NUMBER})(?![\d,]*\w)", re.IGNORECASE)
BOXED = re.compile(r"\\boxed\{([^{}]{1,200})\}|####\s*(\S{1,200})")
ANY_NUMBER = re.compile(NUMBER)
CHOICE = re.compile(r"^\W*(?:(?:the\s+)?(?:correct\s+)?answer(?:\s+is)?\W{0,3})?\(?([A-Ja-j])\)?\W*$", re.IGNORECASE)
SAID_CHOICE = re.compile(r"answer\s*(?:is|:)\s*\W{0,3}([A-J])\)?(?=[\s.,;:!)]|$)")
VERDICT = re.compile(r"^\W*(yes|no|true|false)\W*$", re.IGNORECASE)
WORD = re.compile(r"\w+")


def alike(one: str, other: str) -> bool:
    """Whether the two texts give the same answer."""
    first, second = parsed(_unfenced(one)), parsed(_unfenced(other))
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        return bool(first == second)
    mine, theirs = _gist(one), _gist(other)
    if mine is not None and theirs is not None:
        return bool(mine == theirs)
    if (mine or theirs) is not None:
        return False
    return _overlap(one, other) >= ALIKE


def _gist(text: str) -> Any:
    """What a text comes to; None when it is prose."""
    text = text.strip()
    tail = text[-TAIL:]
    if len(text) <= SHORT:
        if choice := CHOICE.match(text):
            return "choice", choice[1].upper()
        if verdict := VERDICT.match(text):
            return "verdict", verdict[1].lower() in ("yes", "true")
        if number := ONLY_NUMBER.match(text):
            return _number(number[1])
    if boxed := _last(BOXED, tail):
        inner = (boxed[1] or boxed[2]).strip().strip(".")
        return _number(inner) or ("text", inner)
    if number := _last(SAID_NUMBER, tail):
        return _number(number[1])
    if choice := _last(SAID_CHOICE, tail):
        return "choice", choice[1].upper()
    numbers = ANY_NUMBER.findall(text) if len(text) <= SHORT else ()
    return _number(numbers[0]) if len(numbers) == 1 else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return found


def _number(text: str) -> tuple[str, Decimal] | None:
    digits = text.replace(",", "").strip(" $%.")
    try:
        return (
            ("number", Decimal(digits).normalize())
            if len(digits) <= MOST_DIGITS and "e" not in digits.lower()
            else None
        )
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
