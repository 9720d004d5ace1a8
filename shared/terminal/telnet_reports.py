"""What a host asks of a terminal in its output, and what a terminal answers.

Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (DSR, CPR, primary DA)
"""

import asyncio
import re
from typing import Literal

from shared.terminal.channel import Seat
from shared.terminal.screen import Screen

REPLAY = 256 * 1024
"""Characters that are drawn at most to find the cursor."""
Query = Literal["status", "cursor", "attributes"]

_QUERY = re.compile(rb"\x1b\[(?:(?P<status>5n)|(?P<cursor>6n)|(?P<attributes>0?c))")
_UNFINISHED = re.compile(rb"\x1b(?:\[[056]?)?\Z")


class Queries:
    """Finds the questions in what a host sends, also those that come in pieces."""

    def __init__(self) -> None:
        self._carry = b""

    def find(self, data: bytes) -> list[tuple[Query, int]]:
        """The questions that are whole by now, and where in the data each one ends."""
        if not self._carry and b"\x1b" not in data:
            return []
        before, data = len(self._carry), self._carry + data
        unfinished = _UNFINISHED.search(data)
        self._carry = unfinished.group() if unfinished else b""
        return [(_kind(found), found.end() - before) for found in _QUERY.finditer(data)]


class Place:
    """Where the cursor stands at some place of what a session has shown."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._screen = Screen(seat.cols, seat.rows)
        self._at = 0

    async def cursor(self, position: int) -> tuple[int, int]:
        """Row and column, counted from 0, once all up to that cursor of the scrollback is drawn, in a thread."""
        begin = max(self._at, position - REPLAY)
        text = self._seat.scrollback.read(begin, max(0, position - begin)).text
        self._at = max(self._at, position)
        return await asyncio.to_thread(self._drawn, text)

    def _drawn(self, text: str) -> tuple[int, int]:
        self._screen.resize(self._seat.cols, self._seat.rows)
        self._screen.feed(text)
        look = self._screen.look
        return look.row, min(look.column, look.columns - 1)


def answer(query: Query, cursor: tuple[int, int]) -> bytes:
    """What to send; row and column of the cursor count from 0."""
    row, column = cursor
    if query == "cursor":
        return b"\x1b[%d;%dR" % (row + 1, column + 1)
    return b"\x1b[0n" if query == "status" else b"\x1b[?1;2c"


def _kind(found: re.Match[bytes]) -> Query:
    if found["status"]:
        return "status"
    return "cursor" if found["cursor"] else "attributes"
