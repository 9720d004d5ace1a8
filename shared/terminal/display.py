"""A session's screen, rendered when somebody looks, and what of it has changed since a cursor."""

import asyncio
import re
from dataclasses import dataclass

from shared.terminal.channel import Seat
from shared.terminal.keys import Modes
from shared.terminal.screen import Look, Screen

REPLAY = 256 * 1024
"""Characters that are rendered at most; of those before them, only what outlasts them (modes, screens) is looked at."""
_GOOD_START = re.compile(r"[\n\x1b]")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the screen shows at a cursor, and the rows that changed after another one. `whole`: since that is unknown."""

    look: Look
    cursor: int
    rows: tuple[int, ...]
    whole: bool


class Display:
    """The screen of one session. Each row has the cursor at which it was first seen as it is."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._screen = Screen(seat.cols, seat.rows)
        self._look = self._screen.look
        self._at = 0
        self._seen = [0] * seat.rows
        self._unknown_up_to = -1
        self._work: asyncio.Task[None] | None = None

    @property
    def cursor(self) -> int:
        """Where it was rendered up to."""
        return self._at

    @property
    def look(self) -> Look:
        """What it showed there."""
        return self._look

    @property
    def line(self) -> str:
        """The row that the cursor was in there, up to the cursor."""
        return self._look.lines[self._look.row].ljust(self._look.column)[: self._look.column]

    @property
    def screen(self) -> Screen:
        """As last rendered, for its modes."""
        return self._screen

    async def modes(self) -> Modes:
        """What a program has asked of its terminal by now."""
        await self.refresh()
        return Modes(application_cursor=self._screen.application_cursor, bracketed_paste=self._screen.bracketed_paste)

    async def view(self, after: int | None = None) -> Rendering:
        """What it shows now; the rows are those that changed after the cursor, all of them without one."""
        await self.refresh()
        whole = after is None or after <= self._unknown_up_to
        rows = (row for row, seen in enumerate(self._seen) if whole or after is None or seen > after)
        return Rendering(self._look, self._at, tuple(rows), whole)

    async def refresh(self) -> None:
        """Render what has come since, in a thread, one at a time; whoever leaves does not stop it."""
        await self.settle()
        self._work = asyncio.get_running_loop().create_task(self._catch_up())
        await asyncio.shield(self._work)

    async def settle(self) -> None:
        """Wait for what is being rendered."""
        while self._work is not None and not self._work.done():
            await asyncio.wait({self._work})

    async def _catch_up(self) -> None:
        part = self._seat.scrollback.read(self._at)
        cols, rows = self._seat.cols, self._seat.rows
        if not part.text and (self._look.columns, len(self._look.lines)) == (cols, rows):
            return
        self._at = part.cursor
        look = await asyncio.to_thread(_rendered, self._screen, part.text, cols, rows)
        self._note(look)

    def _note(self, look: Look) -> None:
        before, self._look = self._look, look
        if (before.columns, len(before.lines)) != (look.columns, len(look.lines)):
            self._seen = [self._at] * len(look.lines)
            self._unknown_up_to = self._at
            return
        was, is_now = zip(before.lines, before.runs, strict=True), zip(look.lines, look.runs, strict=True)
        for row, (old, new) in enumerate(zip(was, is_now, strict=True)):
            if old != new:
                self._seen[row] = self._at


def _rendered(screen: Screen, text: str, cols: int, rows: int) -> Look:
    screen.resize(cols, rows)
    if len(text) > REPLAY:
        start = _GOOD_START.search(text, len(text) - REPLAY)
        at = start.start() if start else len(text) - REPLAY
        screen.skip(text[:at])
        text = text[at:]
    screen.feed(text)
    return screen.look
