"""What one pass over the tokens of a text says about it, in figures that hardly grow with its length."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log1p

from shared.routing.complexity.lexicon import GROUPS
from shared.routing.complexity.reading import Reading

_MARKS = {
    "?": "?\uff1f",
    "!": "!\uff01",
    ",": ",\uff0c、;\uff1b",
    ".": ".。",
    ":": ":\uff1a",
    "(": "([{",
    "=": "=<>≤≥",
    "+": "+-*/^\u00d7÷",
    "\\": "\\$",
    "`": "`",
    "quote": "'\"“”«»",
    "%": "%$€£",
    "_": "_",
}
_MARK_OF = {mark: number for number, marks in enumerate(_MARKS.values()) for mark in marks}
_ENDS_OF_SENTENCES = (0, 1, 3)

_PATTERNS = {
    "options": re.compile(r"^\(?[A-Ja-j][).:] ", re.MULTILINE),
    "bullets": re.compile(r"^[ \t]*(?:[-*•]|\d+[.)]) ", re.MULTILINE),
    "indented": re.compile(r"^(?: {2,}|\t)\S", re.MULTILINE),
    "identifiers": re.compile(r"[a-z][A-Z][a-z]|\w_\w|\w\(\)|\w\.\w+\(|://|==|!=|->|=>|&&|\|\|"),
    "formulas": re.compile(r"\\[a-z]{2,}|\^\{?\w|\b\w\s*[=<>]\s*\w"),
}

_LEADING_WORDS = 3
_LONG, _VERY_LONG = 8, 12

NAMES = (
    "log_length", "log_tokens", "log_lines", "line_length", "log_sentences", "sentence_length", "distinct",
    "word_length", "long_words", "very_long_words", "single_letters", "capitalised", "shouted",
    "numbers", "log_numbers", "log_largest",
    *_PATTERNS, "fenced", "ends_asking", "ends_answer", "blank",
    "no_spaces_script", "cyrillic", "other_script", "accented",
    *(f"share_{name}" for name in GROUPS), *(f"has_{name}" for name in GROUPS), *(f"first_{name}" for name in GROUPS),
    *(f"marks_{name}" for name in _MARKS),
)  # fmt: skip
"""The features, in the order of the vector."""


@dataclass(slots=True)
class _Counts:
    groups: list[int] = field(default_factory=lambda: [0] * len(GROUPS))
    leading: list[float] = field(default_factory=lambda: [0.0] * len(GROUPS))
    marks: list[int] = field(default_factory=lambda: [0] * len(_MARKS))
    words: int = 0
    letters: int = 0
    long: int = 0
    very_long: int = 0
    singles: int = 0
    capitalised: int = 0
    shouted: int = 0
    numbers: int = 0
    largest: int = 0


def lexical(reading: Reading, groups: Mapping[str, int]) -> list[float]:
    """The feature vector of a text, in the order of NAMES. `groups` is the lexicon's index."""
    counts = _counted(reading, groups)
    words = max(1, counts.words)
    tokens = max(1, len(reading.tokens))
    return [
        *_length(reading, counts, tokens),
        *_words(counts, words),
        counts.numbers / tokens, log1p(counts.numbers), log1p(counts.largest),
        *_layout(reading.text),
        *_scripts(reading.words, tokens),
        *(count / words for count in counts.groups), *(log1p(count) for count in counts.groups), *counts.leading,
        *(count / tokens for count in counts.marks),
    ]  # fmt: skip


def _counted(reading: Reading, groups: Mapping[str, int]) -> _Counts:
    counts = _Counts()
    for token, word in zip(reading.tokens, reading.words, strict=True):
        if (group := groups.get(word)) is not None:
            counts.groups[group] += 1
            if counts.words < _LEADING_WORDS:
                counts.leading[group] = 1.0
        first = token[0]
        if first.isalpha():
            _count_word(counts, token, capital=first.isupper())
        elif first.isdigit():
            counts.numbers += 1
            counts.largest = max(counts.largest, len(token))
        elif (mark := _MARK_OF.get(first)) is not None:
            counts.marks[mark] += 1
    return counts


def _count_word(counts: _Counts, token: str, *, capital: bool) -> None:
    size = len(token)
    counts.words += 1
    counts.letters += size
    if size >= _LONG:
        counts.long += 1
        counts.very_long += size >= _VERY_LONG
    elif size == 1:
        counts.singles += 1
    if capital:
        counts.capitalised += 1
        counts.shouted += size > 1 and token.isupper()


def _length(reading: Reading, counts: _Counts, tokens: int) -> tuple[float, ...]:
    lines = reading.text.count("\n") + 1
    sentences = sum(counts.marks[mark] for mark in _ENDS_OF_SENTENCES) + 1
    length = len(reading.text)
    return (
        log1p(length), log1p(tokens), log1p(lines), log1p(length / lines), log1p(sentences), log1p(tokens / sentences),
        len(set(reading.words)) / tokens,
    )  # fmt: skip


def _words(counts: _Counts, words: int) -> tuple[float, ...]:
    of_words = (counts.letters, counts.long, counts.very_long, counts.singles, counts.capitalised, counts.shouted)
    return tuple(count / words for count in of_words)


def _layout(text: str) -> tuple[float, ...]:
    ending = text[-40:].rstrip().lower()
    return (
        *(log1p(len(pattern.findall(text))) for pattern in _PATTERNS.values()),
        float("```" in text), float(ending.endswith(("?", "\uff1f"))), float(ending.endswith("answer:")),
        float("__" in text),
    )  # fmt: skip


def _scripts(words: tuple[str, ...], tokens: int) -> tuple[float, ...]:
    """The shares of tokens in scripts without spaces, in Cyrillic, in other scripts, and with accented letters."""
    unspaced = cyrillic = other = accented = 0
    for word in words:
        if not word.isascii():
            first = word[0]
            if first < "\u0250":
                accented += 1
            elif "\u0400" <= first <= "\u04ff":
                cyrillic += 1
            elif "\u3040" <= first <= "\ud7af":
                unspaced += 1
            elif first.isalpha():
                other += 1
    return unspaced / tokens, cyrillic / tokens, other / tokens, accented / tokens
