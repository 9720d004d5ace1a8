"""A text as the estimate reads it: its head and tail, in tokens."""

import re
from dataclasses import dataclass
from itertools import pairwise

HEAD = 2_400
TAIL = 800
MAX_TOKENS = 600
"""What is read of a text, in characters and tokens: more than this costs time and says little new."""

_NO_SPACES = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Scripts written without spaces (kana, Han), and Hangul: each character is a token, each pair of them a word."""

_TOKEN = re.compile(rf"[{_NO_SPACES}]|[^\W\d_{_NO_SPACES}]+|\d+|[^\w\s]|_+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the clipped text, its tokens as written, and the same in lower case, Han characters in pairs."""

    text: str
    tokens: tuple[str, ...]
    words: tuple[str, ...]


def read(text: str) -> Reading:
    """The head and the tail of a text as tokens: the same work for a megabyte as for a page."""
    short = clipped(text)
    tokens = _TOKEN.findall(short)
    if len(tokens) > MAX_TOKENS:
        tokens = tokens[: MAX_TOKENS * 3 // 4] + tokens[-MAX_TOKENS // 4 :]
    return Reading(short, tuple(tokens), tuple(_words(tokens)))


def clipped(text: str) -> str:
    """The text, or its head and tail when it is long."""
    return text if len(text) <= HEAD + TAIL + 1 else f"{text[:HEAD]}\n{text[-TAIL:]}"


def _words(tokens: list[str]) -> list[str]:
    lowered = [token.lower() for token in tokens]
    alone = list(map(_unspaced, tokens))
    if not any(alone):
        return lowered
    return [
        left + right if both else left
        for left, right, both in zip(lowered, [*lowered[1:], ""], map(all, pairwise([*alone, False])), strict=True)
    ]


def _unspaced(token: str) -> bool:
    return len(token) == 1 and "\u3040" <= token <= "\ud7af"
