"""Whether a shell or program waits for input: by its own marks, or by the looks of its last line."""

import re
from typing import Literal

Ready = Literal["prompt", "prompt-like", "password"]

_MARK = re.compile(r"\x1b\]133;([ABCD])[^\x07\x1b]*(?:\x07|\x1b\\)")
"""Semantic prompts: A begins one, B ends it, C begins a command's output, D ends it.
Source: https://gitlab.freedesktop.org/Per_Bothner/specifications/-/blob/master/proposals/semantic-prompts.md"""
_SECRET = re.compile(r"(?i)(?:pass(?:word|phrase|code)|\bpin\b|\botp\b|verification code|one-time code)[^:]{0,80}:$")
_LINE = re.compile(
    "(?:[$#>\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}\N{RIGHTWARDS ARROW}\N{GREEK SMALL LETTER LAMDA}]"
    r"|(?<![0-9])%|:|\?|\[[yYnN]/[yYnN]\]|\([yY](?:es)?/[nN]o?[^)]{0,20}\))$"
)
LONGEST = 300


def marked(text: str) -> bool:
    """Whether the last mark in the text says that a prompt stands there."""
    last = next(reversed(list(_MARK.finditer(text))), None)
    return last is not None and last[1] == "B" and "\n" not in text[last.end() :]


def look(line: str) -> Ready | None:
    """What a line up to the cursor looks like. A guess: a program may write such a line and go on working."""
    line = line.rstrip()[-LONGEST:]
    if _SECRET.search(line):
        return "password"
    return "prompt-like" if _LINE.search(line) else None
