"""Takes secrets out of a recording before it is written, also those that come in pieces or between colours."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

EventKind = Literal["o", "i", "r", "m"]

MOST_HELD = 16 * 1024
"""Characters of a line without an end that are held back."""
LOOK_AHEAD = 4 * 1024
"""Characters after a cut inside a line that are looked at before it is made."""
CONTEXT = 256
"""Characters kept of a secret that is longer than what is held, so that its rest is known for one."""
MOST_CUTS = 32
BLOCK = "-----BEGIN"
"""How a key begins, the only secret that goes over the end of a line."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])| ?\r(?!\n)")
_CUT = re.compile(r"[\s\x1b]")

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a recording: seconds since its beginning, the kind that asciicast v2 has for it, and its data."""

    time: float
    kind: EventKind
    data: str


class Veil:
    """Lets events through in their order; output only once no secret in it can go on in what follows.

    That is at the end of a line, since no secret but a key block goes over one, or far behind in a long one.
    """

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._held: list[Event] = []

    def through(self, events: Iterable[Event]) -> list[Event]:
        """What can be written now that these have come."""
        self._held += [event if event.kind in "or" else _redacted(event, self._redact) for event in events]
        return [ready for end, context in self._ends() for ready in self._release(end, context)]

    def rest(self) -> list[Event]:
        """Everything that was held back, when nothing more will come."""
        return list(self._release(len(self._text()), ""))

    def _text(self) -> str:
        return "".join(event.data for event in self._held if event.kind == "o")

    def _ends(self) -> Iterator[tuple[int, str]]:
        """How many characters of the output can go, one step after the other, and what of them is kept as context."""
        text = self._text()
        yield self._end_of_lines(text), ""
        while len(text := self._text()) > MOST_HELD:
            end = self._cut(text[:MOST_HELD])
            yield (end, "") if end else (MOST_HELD, text[:CONTEXT])

    def _end_of_lines(self, text: str) -> int:
        """The last end of a line after which nothing of the text before goes on."""
        end = text.rfind("\n") + 1
        for _ in range(2):
            if self._is_closed(text[:end]):
                return end
            begin = text.rfind(BLOCK, 0, end)
            end = text.rfind("\n", 0, begin) + 1 if begin >= 0 else 0
        return 0

    def _is_closed(self, text: str) -> bool:
        return BLOCK not in text or self._redact(f"{text}.") == f"{self._redact(text)}."

    def _cut(self, text: str) -> int:
        """A place inside the line where both parts say what the whole does; 0 where there is none."""
        limit = len(text) - LOOK_AHEAD
        whole = veiled(text, self._redact)
        places = [found.start() for found in _CUT.finditer(text, 1, limit)][-MOST_CUTS:]
        for place in (limit, *reversed(places)):
            if veiled(text[:place], self._redact) + veiled(text[place:], self._redact) == whole:
                return place
        return 0

    def _release(self, end: int, context: str) -> Iterator[Event]:
        """Let so many characters of output go, and what came between them."""
        pieces, self._held = _divided(self._held, end)
        text = "".join(piece.data for piece in pieces if piece.kind == "o")
        shown = veiled(text, self._redact)
        if context:
            self._held.insert(0, Event(pieces[-1].time, "o", context))
        yield from pieces if shown == text else _replaced(pieces, shown)


def veiled(text: str, redact: Redact) -> str:
    """The text without secrets. Where colours run through one, the line loses its colours too."""
    shown, unadorned = redact(text), without_sequences(text)
    plain = redact(unadorned) if unadorned != text else shown
    if without_sequences(shown) == plain:
        return shown
    lines = "".join(_line(line, redact) for line in text.splitlines(keepends=True))
    return lines if without_sequences(lines) == plain else plain


def without_sequences(text: str) -> str:
    """The text as it reads, without what only moves the cursor or paints, a wrapped line in one piece."""
    return _SEQUENCE.sub("", text)


def _line(line: str, redact: Redact) -> str:
    shown, plain = redact(line), redact(without_sequences(line))
    return shown if without_sequences(shown) == plain else plain


def _redacted(event: Event, redact: Redact) -> Event:
    return replace(event, data=redact(event.data))


def _divided(events: list[Event], end: int) -> tuple[list[Event], list[Event]]:
    """The events up to so many characters of output, and the others; one on the border is cut in two."""
    for index, event in enumerate(events):
        if event.kind == "o" and len(event.data) > end:
            head, tail = replace(event, data=event.data[:end]), replace(event, data=event.data[end:])
            return [*events[:index], *([head] if end else [])], [tail, *events[index + 1 :]]
        if event.kind == "o":
            end -= len(event.data)
    return events, []


def _replaced(pieces: list[Event], shown: str) -> Iterator[Event]:
    """The output up to the first secret as it came, the rest in one piece at the time of the last."""
    same = True
    for piece in pieces:
        if piece.kind != "o":
            yield piece
        elif same and shown.startswith(piece.data):
            shown = shown[len(piece.data) :]
            yield piece
        else:
            same = False
    if shown:
        yield Event(pieces[-1].time, "o", shown)
