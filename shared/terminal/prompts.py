"""Whether a shell or program waits for input: by its own marks, by what the system knows of it, by what stood there when
something was typed before, and by the looks of its last line.
"""

import re
import time
from typing import Literal

from shared.terminal.channel import Seat
from shared.terminal.display import Display

Ready = Literal["prompt", "prompt-like", "password"]

_MARK = re.compile(r"\x1b\]133;([ABCD])[^\x07\x1b]*(?:\x07|\x1b\\)")
"""Semantic prompts: A begins one, B ends it, C begins a command's output, D ends it.
Source: https://gitlab.freedesktop.org/Per_Bothner/specifications/-/blob/master/proposals/semantic-prompts.md"""
_SECRET = re.compile(r"(?i)(?:pass(?:word|phrase|code)|\bpin\b|\botp\b|verification code|one-time code)[^:]{0,80}:$")
_SIGNS = (
    "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}\N{HEAVY LEFT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    "\N{RIGHTWARDS ARROW}\N{GREEK SMALL LETTER LAMDA}"
)
_LINE = re.compile(
    rf"(?:[$#>{_SIGNS}]|(?<![0-9])%|:|\?|\[[yYnN]/[yYnN]\]|\([yY](?:es)?/[nN]o?[^)]{{0,20}}\))$"
    r"|^\([A-Za-z][\w.+-]{0,30}\)$|\(END\)$"  # (gdb), (Pdb), less
    r"|^-{2,5} ?\(?(?i:more)\b[^-]{0,20}-{2,5}(?: ?\([^()]{1,20}\))?$"
    r"|(?i:\b(?:press|hit|strike)\b.{1,40}\b(?:key|enter|return|space)\b.{0,40}$)"
    r"|^\[[~*]?[A-Za-z][\w./-]{0,80}\]$"  # the system view of Huawei's and H3C's devices
    "|^\N{HEAVY ROUND-TIPPED RIGHTWARDS ARROW} +\\S"
)
_CONTINUED = re.compile(r"^\.\.\. +$")
"""Python's prompt for the rest of a statement; without the space it may be anything."""
LONGEST = 300

_RUN = re.compile(r"[\w~./@+\-]+")
_PLAIN = re.compile(r"[\w~./@+\- ]*")
_NUMBER = re.compile(r"[0-9.]+")
MOST_LEARNED = 16
STOOD = 0.3
"""Seconds that a line has stood unchanged for when what is typed at it is an answer to it."""
LOOKED_BACK = 4096


def marked(text: str) -> bool:
    """Whether the last mark in the text says that a prompt stands there."""
    last = next(reversed(list(_MARK.finditer(text))), None)
    return last is not None and last[1] == "B" and "\n" not in text[last.end() :]


def look(line: str) -> Ready | None:
    """What a line up to the cursor looks like. A guess: a program may write such a line and go on working."""
    if _CONTINUED.search(line):
        return "prompt-like"
    line = line.strip()[-LONGEST:]
    if _SECRET.search(line):
        return "password"
    return "prompt-like" if _LINE.search(line) else None


class Prompts:
    """The prompts of one session: those that were answered before are known again, whatever they look like."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._typed_at = 0
        self._learned: dict[tuple[str, str], None] = {}

    def look(self, line: str) -> Ready | None:
        """Whether what stands there is a prompt, once nothing more has come for a while."""
        ready = look(line)
        if ready is not None:
            return ready
        known = self._seat.shell_waits() or any(key in self._learned for key in keys(line))
        return "prompt-like" if known else None

    def answered(self, display: Display) -> None:
        """Learn the line at the cursor, which is typed at now, where it has stood for a while and holds nothing typed."""
        scrollback = self._seat.scrollback
        typed_at, self._typed_at = self._typed_at, scrollback.end
        if display.cursor < scrollback.end or time.monotonic() - scrollback.fed_at < STOOD or display.look.alternate:
            return
        if typed_at and "\n" not in scrollback.read(typed_at, LOOKED_BACK).text:
            return
        for key in keys(display.line):
            self._learned.pop(key, None)
            self._learned[key] = None
        while len(self._learned) > MOST_LEARNED:
            del self._learned[next(iter(self._learned))]


def keys(line: str) -> list[tuple[str, str]]:
    """What a prompt is known by: its shape, with its first or its last word, since directories and branches change.

    One without any sign is known only as a whole.
    """
    line = line.strip()[-LONGEST:]
    if _PLAIN.fullmatch(line):
        return [("", line)] if line else []
    shape = _RUN.sub(lambda run: "0" if _NUMBER.fullmatch(run[0]) else "w", " ".join(line.split()))
    words = line.split()
    return [(shape, f"{words[0]} "), (shape, f" {words[-1]}")]
