"""Patterns against words whose parts may be unknown: they surely match, they may, or they cannot. Pure.

In a pattern `*` is any text without a slash, `**` any text, `?` one character. Case is ignored unless leave hangs on it.
"""

import re
from enum import IntEnum
from functools import lru_cache

from shared.terminal.policy.words import ANY, MARKS, SPLIT, STAR

LONGEST = 2_000
"""Characters of a word with unknown parts that are looked at; a longer one may match everything."""

_TOKEN = re.compile(r"\*\*|\*|\?|.", re.DOTALL)


class Match(IntEnum):
    """How sure it is; `MAYBE` hangs on what only the run will tell."""

    NO = 0
    MAYBE = 1
    YES = 2


def match(pattern: str, word: str) -> Match:
    """Whether the word is one that the pattern means. A wildcard counts as whatever it can stand for."""
    if MARKS.isdisjoint(word):
        return Match.YES if _regex(pattern.casefold()).fullmatch(word.casefold()) else Match.NO
    if len(word) > LONGEST:
        return Match.MAYBE
    if not _may(tuple(_TOKEN.findall(pattern.casefold())), word.casefold()):
        return Match.NO
    return Match.MAYBE if ANY in word or SPLIT in word else Match.YES


def surely(pattern: str, word: str) -> bool:
    """Whether everything that the word can become is what the pattern means."""
    return bool(_regex(pattern, strict=True).fullmatch(word))


def spelled_out(pattern: str, line: str) -> bool:
    """Whether the pattern surely means the line and spells out its options: `*` stands for none, `**` for any."""
    return bool(_regex(pattern, strict=True, options=False).fullmatch(line))


@lru_cache(maxsize=1024)
def _regex(pattern: str, *, strict: bool = False, options: bool = True) -> "re.Pattern[str]":
    one = "[^/\x00-\x02]" if strict else "[^/]"
    some = "[^/\x00\x02]*" if strict else "[^/]*"
    if not options:
        one, some = f"(?!(?<= )[-+\x01]){one}", "(?:(?!(?<= )[-+\x01])[^/\x00\x02])*"
    found = {"**": ".*", "*": some, "?": one}
    return re.compile("".join(found.get(token) or re.escape(token) for token in _TOKEN.findall(pattern)), re.DOTALL)


def _may(pattern: tuple[str, ...], word: str) -> bool:
    """Whether both can stand for the same text: a walk over the pairs of places in both.

    A wildcard finds names of files, which a shell never takes for somebody's home.
    """
    ends = {at for at, character in enumerate(word) if character == SPLIT}
    todo = [(0, start) for start in {0, *ends}]
    seen = set(todo)
    ends.add(len(word))
    while todo:
        place = todo.pop()
        if place[0] == len(pattern) and place[1] in ends:
            return True
        for following in _steps(pattern, word, *place):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return False


def _steps(pattern: tuple[str, ...], word: str, at: int, in_word: int) -> list[tuple[int, int]]:
    wanted = pattern[at] if at < len(pattern) else ""
    character = word[in_word] if in_word < len(word) else ""
    steps = []
    if wanted in ("*", "**"):
        steps.append((at + 1, in_word))
    if character in MARKS:
        steps.append((at, in_word + 1))
        if wanted and not (character == STAR and wanted in ("/", "~")):
            steps.append((at + 1, in_word))
        return steps
    if not character or not wanted:
        return steps
    if wanted == "**" or (wanted == "*" and character != "/"):
        steps.append((at, in_word + 1))
    elif wanted == character or (wanted == "?" and character != "/"):
        steps.append((at + 1, in_word + 1))
    return steps
