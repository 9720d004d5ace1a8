"""Whether two answers come to the same result. Pure.

An agreement that is missed costs a call, one that is wrong costs an answer: in doubt the verdict is `unclear`.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.routing.checks.blocks import fenced, parsed
from shared.routing.checks.choices import chosen
from shared.routing.checks.code_form import is_expression_of_code, same_code, tree_of
from shared.routing.checks.numbers import (
    Number,
    Result,
    is_algebra,
    numbers,
    result_of,
    same_number,
    same_result,
    shows_working,
    values,
)
from shared.routing.checks.statements import Verdict, compared, negated, verdict_of

TAIL = 4_000
"""How many characters from its end a text is read for its result."""
SHORT = 60
DEEPEST = 50

BOXED = re.compile(
    r"\\boxed\s?\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,100}\}){0,100}\}){1,300})\}|####[ \t]*([^\n\d]{0,40}\d[^\n]{0,100})\s*\Z"
)
SAID = re.compile(
    r"\banswer(?:\s+is|\W{0,4}[:=])[*_\s:]*([^\n]{1,300})|^A:\s*([^\n]{1,300})", re.IGNORECASE | re.MULTILINE
)
QUANTITY = re.compile(
    r"\bhow\s+(?:many|much|far|long|old|tall|fast|big|heavy|high|deep|wide|often|load)\b|\b(?:calculate|compute|evaluate)\b|"
    r"\bwhat(?:'s|\s+is|\s+was|\s+will\s+be|\s+are)?\s+(?:the\s+|his\s+|her\s+|their\s+)?(?:\w+\s+){0,3}?"
    r"(?:total|sum|number|amount|percentage|percent|average|mean|median|area|volume|perimeter|probability|cost|price|profit|"
    r"difference|product|value|speed|distance|age|weight|height|length|ratio)\b",
    re.IGNORECASE,
)
PART = re.compile(r"^[\s*_#]*(?:\(?[a-e]\)|part\s+[a-e1-9]\b)", re.IGNORECASE | re.MULTILINE)
PROSE_KEYS = frozenset(
    {"reason", "reasons", "reasoning", "explanation", "rationale", "justification", "thought", "thoughts", "thinking"}
    | {"analysis", "comment", "comments", "note", "notes", "chain_of_thought"}
)


def alike(one: str, other: str, question: str = "") -> Verdict:
    """Compare what two answers to a question come to."""
    first, second = parsed(_unfenced(one)), parsed(_unfenced(other))
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        return _same_json(first, second)
    parts = fenced(one), fenced(other)
    if parts[0].code and parts[1].code:
        return "same" if same_code(parts[0].code, parts[1].code) else "unclear"
    one, other = (part.prose.strip()[-TAIL:] for part in parts)
    question = question[-TAIL:]
    if not one or not other:
        return "unclear"
    return _same_explicit(one, other, question) or _same_inferred(one, other, question)


def _same_explicit(one: str, other: str, question: str) -> Verdict | None:
    """Compare by letters that are chosen and results that are marked as such; None where a text has neither."""
    letters = chosen(one), chosen(other)
    if letters[0] and letters[1]:
        return "same" if letters[0] == letters[1] else "different"
    if letters[0] or letters[1]:
        return "unclear"
    mine, theirs = _marked(one), _marked(other)
    if mine is None or theirs is None or numbers(mine) or numbers(theirs):
        return None
    return compared(mine, theirs, question)


def _same_inferred(one: str, other: str, question: str) -> Verdict:
    if tree_of(one) and tree_of(other) and is_expression_of_code(one) and is_expression_of_code(other):
        return "same" if tree_of(one) == tree_of(other) else "unclear"
    if _is_quantity(one, other, question):
        return _same_quantity(one, other, question)
    return compared(one, other, question)


def _is_quantity(one: str, other: str, question: str) -> bool:
    """Whether the answers are numbers, by the question or by how they come to them."""
    if any(_marked(text) is not None or _only_number(text) is not None or shows_working(text) for text in (one, other)):
        return True
    return QUANTITY.search(question) is not None


def _same_quantity(one: str, other: str, question: str) -> Verdict:
    verdicts = verdict_of(one), verdict_of(other)
    if None not in verdicts and verdicts[0] != verdicts[1]:
        return "different"
    if any(len(PART.findall(text)) > 1 for text in (one, other)):
        return "unclear"
    given = values(question)
    mine, theirs = _result(one, given), _result(other, given)
    if mine is None or theirs is None:
        return "unclear"
    if is_algebra(mine) or is_algebra(theirs):
        return compared(mine.sentence, theirs.sentence, question)
    if not same_number(mine.number, theirs.number):
        return "different"
    return "same" if same_result(mine, theirs) and negated(mine.sentence) == negated(theirs.sentence) else "unclear"


def _result(text: str, given: frozenset[tuple[Decimal, str]]) -> Result | None:
    """The result that a text marks as such, else the one that it ends with."""
    marked = _marked(text)
    return result_of(text if marked is None else marked, given)


def _marked(text: str) -> str | None:
    """What a text marks as its answer, the last time that it does; None when it marks none."""
    found = [(match.start(), match[1] or match[2]) for match in BOXED.finditer(text)]
    if not found:
        said = ((match.start(), match[1] or match[2]) for match in SAID.finditer(text))
        found = [(at, words) for at, words in said if numbers(words)]
    return found[-1][1].strip() if found else None


def _only_number(text: str) -> Number | None:
    found = numbers(text) if len(text) <= SHORT else []
    return found[0] if len(found) == 1 and len(text.split()) <= 3 else None


def _same_json(one: Any, other: Any) -> Verdict:
    if type(one) is not type(other):
        return "unclear"
    mine, theirs = _without_prose(one, 0), _without_prose(other, 0)
    if mine in ({}, []) and one not in ({}, []):
        return "unclear"
    return "same" if mine == theirs else "different"


def _without_prose(value: Any, depth: int) -> Any:
    """A JSON value in a form to compare: without fields of prose, and with true apart from 1."""
    if depth > DEEPEST:
        return value
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key.lower() not in PROSE_KEYS}
        return {key: _without_prose(item, depth + 1) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_prose(item, depth + 1) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false", bool
    return " ".join(value.split()).casefold() if isinstance(value, str) else value


def _unfenced(text: str) -> str:
    """The content of a Markdown fence that is all there is."""
    found = re.fullmatch(r"\s*```\w*\n(.*?)\n?```\s*", text, re.DOTALL)
    return found[1] if found else text
