"""Which typed lines may be recorded: those that the terminal was seen to show."""

import re
from collections import deque
from dataclasses import dataclass

from shared.terminal.recording_veil import without_sequences

ECHO_SECONDS = 5.0
"""So long after Enter the terminal may take to show a line."""
ECHO_CHARACTERS = 4096
"""So much of what was shown since its beginning is looked at for a line."""
LONGEST_LINE = 4096
INTERRUPT = "\x03"
MOST_LINES = 16

_ASKS_FOR_SECRET = re.compile(
    r"(?:pass(?:word|wd|phrase|code)?|passwor[td]|kennwort|\bpin\b|secret|token|otp|verification|authenticator|code|key"
    r"|credentials?)[^\n]{0,80}[:>?][ \t]*$",
    re.IGNORECASE,
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(slots=True)
class _Line:
    text: str = ""
    hidden: bool = False
    seen: str = ""
    ended: float = 0

    def is_old(self, now: float) -> bool:
        return now - self.ended > ECHO_SECONDS

    def is_proven(self) -> bool:
        return _BLANK.sub("", self.text) in self.seen


class TypedLines:
    """Holds what is typed until the terminal shows it. What it does not show, as a password, is forgotten.

    No kind of terminal tells for sure whether it echoes: line editors turn the echo off and draw themselves, and of a
    remote one nothing is known. The echo itself is proof.
    """

    def __init__(self) -> None:
        self._line: _Line | None = None
        self._waiting: deque[_Line] = deque(maxlen=MOST_LINES)
        self._last_shown = ""

    def typed(self, data: str, *, hidden: bool, now: float) -> str:
        """Take in what was typed, `hidden` when the echo is known to be off. Returns what may be recorded at once."""
        hidden = hidden or _ASKS_FOR_SECRET.search(self._last_shown) is not None
        if data == INTERRUPT:
            self._line = None
        if self._line is None and not _BLANK.sub("", data):
            return "" if hidden else data  # keys such as Enter and Ctrl-C
        for piece in data.replace("\r\n", "\r").splitlines(keepends=True):
            self._add(piece, hidden, now)
        return ""

    def shown(self, text: str, *, now: float) -> list[str]:
        """Take in what the terminal shows. Returns the lines that it has shown by that."""
        plain = without_sequences(text)
        self._last_shown = (self._last_shown + plain).rpartition("\n")[2][-200:]
        for line in (*self._waiting, *([self._line] if self._line else [])):
            line.seen = (line.seen + _BLANK.sub("", plain))[:ECHO_CHARACTERS]
        waiting = [line for line in self._waiting if not line.is_old(now)]
        proven = [line for line in waiting if line.is_proven()]
        self._waiting = deque((line for line in waiting if not line.is_proven()), MOST_LINES)
        return [line.text for line in proven]

    def _add(self, piece: str, hidden: bool, now: float) -> None:
        line = self._line = self._line or _Line()
        line.text += piece[: LONGEST_LINE + 1 - len(line.text)]
        line.hidden = line.hidden or hidden or len(line.text) > LONGEST_LINE
        if piece.endswith(("\r", "\n")):
            line.ended = now
            self._line = None
            if not line.hidden and _BLANK.sub("", line.text):
                self._waiting.append(line)
