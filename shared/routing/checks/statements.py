"""Whether two short texts state the same: their polarity, numbers, names and words. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from shared.routing.checks.numbers import plain, sentences, values

Verdict = Literal["same", "different", "unclear"]
"""`unclear` where no comparison can tell: it must not count as an agreement, nor as a contradiction."""

SHORT = 600
"""Longer prose is not compared, in characters."""
PHRASE = 6
"""An answer of so few words is a name or a term."""
ORDERED = 0.75

NEGATION = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|without|cannot|\w+n't|fails? to|failed to|unable|instead of|"
    r"unlikely|hardly|avoid|refuse[sd]?|nicht|kein\w*|nie|pas|jamais|nunca|não|non)\b",
    re.IGNORECASE,
)
HEDGE = re.compile(
    r"\b(?:but|only|unless|except|depends?|however|if|although|though|sometimes|usually|maybe|might|partly)\b",
    re.IGNORECASE,
)
VERDICT = re.compile(
    r"^\W*(yes|no|true|false|correct|incorrect)\b(?!\s+(?:idea|one|matter|problem|doubt))", re.IGNORECASE
)
POSITIVE = frozenset({"yes", "true", "correct"})
ASKS_VERDICT = re.compile(
    r"(?:^|[.!?:,]\s+|\n)(?:is|are|was|were|can|could|do|does|did|will|would|should|has|have|had|may|must|true or false)\b"
    r"(?![^?\n]*\bor\b)[^?\n]*\?\s*$",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W_]+(?:['.][^\W_]+)*")
NAME = re.compile(r"\b[A-Z][\w'-]*|\b\w*[a-z][A-Z]\w*")
CODE_SPAN = re.compile(r"`([^`\n]{1,200})`")
EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "by",
        "with",
        "from",
        "and",
        "as",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "there",
        "so",
        "then",
        "thus",
        "therefore",
        "hence",
        "answer",
        "final",
        "correct",
        "result",
        "i",
        "you",
        "we",
        "he",
        "she",
        "they",
        "his",
        "her",
        "their",
        "your",
        "our",
        "my",
        "would",
        "will",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "which",
        "who",
        "whom",
        "what",
    ]
)


def verdict_of(text: str) -> bool | None:
    """The yes or no that a text begins with; None when it begins with neither."""
    found = VERDICT.match(text)
    return None if found is None else found[1].lower() in POSITIVE


def negated(text: str) -> bool:
    """Whether a text denies something."""
    return NEGATION.search(text) is not None


def compared(one: str, other: str, question: str) -> Verdict:
    """Compare two texts without a numeric result, a choice, code or JSON."""
    one, other, question = plain(one), plain(other), plain(question)
    first, second = verdict_of(one), verdict_of(other)
    if first is not None and second is not None and first != second:
        return "different"
    if _words(one) == _words(other) and CODE_SPAN.findall(one) == CODE_SPAN.findall(other):
        return "same" if _words(one) and _marks(one) == _marks(other) else "unclear"
    if max(len(one), len(other)) > SHORT:
        return "unclear"
    if first is not None and first == second and ASKS_VERDICT.search(question.strip()):
        return _same_verdict(one, other, question)
    return _same_statement(one, other, question)


def _same_verdict(one: str, other: str, question: str) -> Verdict:
    """For two answers that both say yes, or both no."""
    if HEDGE.search(one) or HEDGE.search(other):
        return "unclear"
    for mine, theirs in (
        (set(_names(one, question)), set(_names(other, question))),
        (values(one), values(other)),
    ):
        if not (mine <= theirs or theirs <= mine):
            return "unclear"
    heads = [VERDICT.sub("", sentences(text)[0]) for text in (one, other)]
    return "same" if negated(heads[0]) == negated(heads[1]) or not all(map(_words, heads)) else "unclear"


def _same_statement(one: str, other: str, question: str) -> Verdict:
    if negated(one) != negated(other):
        return "different" if _shared(_content(one), _content(other)) else "unclear"
    if _values(one, question) != _values(other, question):
        return "unclear"
    mine, theirs = _content(one), _content(other)
    if CODE_SPAN.findall(one) != CODE_SPAN.findall(other) or _marks(one) != _marks(other):
        return "unclear"
    if sorted(mine) == sorted(theirs):
        return "same" if _in_order(mine, theirs) else "unclear"
    return "same" if _same_name(one, other, question) else "unclear"


def _same_name(one: str, other: str, question: str) -> bool:
    """Whether one text is a name, and the other a sentence with that name and no other that the question lacks."""
    if negated(one) or HEDGE.search(one) or HEDGE.search(other):
        return False
    phrase, text = sorted((one, other), key=len)
    name, asked = _content(phrase), set(_content(question))
    if not 0 < len(name) <= PHRASE or not _names(phrase, "") or set(name) <= asked:
        return False
    said = _content(text)
    at = next((at for at in range(len(said)) if said[at : at + len(name)] == name), None)
    rest = [] if at is None else [*said[:at], *said[at + len(name) :]]
    return at is not None and all(word in asked for word in rest)


def _in_order(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the same words stand in about the same order: "the dog bit the man" is not "the man bit the dog"."""
    mine, theirs = (set(pairwise(words)) for words in (one, other))
    return len(mine & theirs) >= ORDERED * len(mine | theirs)


def _shared(one: Sequence[str], other: Sequence[str]) -> bool:
    mine, theirs = set(one), set(other)
    return 2 * len(mine & theirs) >= min(len(mine), len(theirs)) > 0


def _names(text: str, question: str) -> tuple[str, ...]:
    """The words that begin with a capital, without those of the question and the first words of sentences."""
    asked = set(_words(question))
    first = {
        found[0] for sentence in sentences(text) if len(sentence.split()) > PHRASE and (found := WORD.match(sentence))
    }
    return tuple(name.casefold() for name in NAME.findall(text) if name.casefold() not in asked and name not in first)


def _values(text: str, question: str) -> frozenset[object]:
    return frozenset(values(text) - values(question))


def _content(text: str) -> list[str]:
    return [word for word in _words(text) if word not in EMPTY_WORDS]


def _words(text: str) -> list[str]:
    return [word.casefold().removesuffix("'s") for word in WORD.findall(text)]


def _marks(text: str) -> list[str]:
    """The signs of a text that change what it says."""
    return re.findall(r"[-+*/=<>^%$€£](?=\s?\w)", re.sub(r"(?<=\w)-(?=[^\W\d])|^\s*[-*+]\s|\*\*", " ", text))
