"""A terminal's screen: pyte's, with the alternate screen, and right where pyte is not.

pyte keeps a stack of saved cursors, leaves rows behind when it moves sparse ones, loses the top when it shrinks and
fails in origin mode without margins. To erase is to forget cells; a row remembers the colour it was erased with.
Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
"""

import copy
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import pyte
from pyte import charsets
from pyte import modes as mo
from pyte.screens import Char, Cursor, Margins, Savepoint, wcwidth

from shared.terminal.cells import BLANK, Buffer, blank_row, empty, fit, text_of
from shared.terminal.styles import Run, runs_of

MAX_COMBINING = 4
MAX_TITLE = 200

APPLICATION_CURSOR, BRACKETED_PASTE, SAVE_CURSOR = 1, 2004, 1048
ALTERNATE = frozenset({47, 1047, 1049})
_KEPT = frozenset({APPLICATION_CURSOR, 6, 7, 25, BRACKETED_PASTE})
"""Private modes that are kept: DECCKM, DECOM, DECAWM, DECTCEM, bracketed paste."""

_PLAIN = frozenset({mo.IRM, mo.LNM})
_cell = lru_cache(4096)(Char)


@lru_cache(16384)
def _styled(char: str, style: Char) -> Char:
    return style._replace(data=char)


@dataclass(slots=True)
class _Main:
    """The main screen while the alternate one is shown."""

    buffer: Buffer
    margins: Margins | None
    saved: Savepoint | None
    row: int


class Emulator(pyte.Screen):
    """A main and an alternate screen of the same size. No method raises, and each takes a bounded time."""

    def reset(self) -> None:
        """As after power-on."""
        self._main: _Main | None = None
        self._saved: Savepoint | None = None
        self._last = ""
        super().reset()
        self.buffer = empty()
        self._plain_charsets()

    def soft_reset(self) -> None:
        """DECSTR: modes and margins, but not what is shown."""
        self.mode = {mo.DECAWM, mo.DECTCEM}
        self.cursor.hidden = False
        self.cursor.attrs = BLANK
        self.margins = None
        self._saved = None
        self._plain_charsets()

    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._main is not None

    def has_mode(self, private: int) -> bool:
        """Whether a private mode is set."""
        return private << 5 in self.mode

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            self.mode.update(_PLAIN.intersection(modes))
            return
        super().set_mode(*_KEPT.intersection(modes), private=True)
        for mode in modes:
            if mode in (SAVE_CURSOR, 1049):
                self.save_cursor()
            if mode in ALTERNATE and self._main is None:
                self._main = _Main(self.buffer, self.margins, self._saved, self.cursor.y)
                self.buffer, self.margins, self._saved = empty(), None, None

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            self.mode.difference_update(_PLAIN.intersection(modes))
            return
        super().reset_mode(*_KEPT.intersection(modes), private=True)
        for mode in modes:
            if mode in ALTERNATE:
                self._leave_alternate()
            if mode in (SAVE_CURSOR, 1049) and self._saved is not None:
                self.restore_cursor()

    def save_cursor(self) -> None:
        origin, wrap = mo.DECOM in self.mode, mo.DECAWM in self.mode
        cursor = copy.copy(self.cursor)
        self._saved = Savepoint(cursor, self.g0_charset, self.g1_charset, self.charset, origin, wrap)

    def restore_cursor(self) -> None:
        hidden = self.cursor.hidden
        saved = self._saved or Savepoint(Cursor(0, 0), charsets.LAT1_MAP, charsets.LAT1_MAP, 0, False, True)
        self.cursor = copy.copy(saved.cursor)
        self.cursor.hidden = hidden
        self.g0_charset, self.g1_charset, self.charset = saved.g0_charset, saved.g1_charset, saved.charset
        for mode, wanted in ((mo.DECOM, saved.origin), (mo.DECAWM, saved.wrap)):
            (self.mode.add if wanted else self.mode.discard)(mode)
        self.cursor.x = min(self.cursor.x, self.columns)
        self.ensure_vbounds()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Both screens. Rows go from the bottom as far as they are below the cursor, then from the top."""
        lines, columns = lines or self.lines, columns or self.columns
        if (lines, columns) == (self.lines, self.columns):
            return
        cut = fit(self.buffer, self.cursor.y, lines, columns)
        self.cursor.y -= cut
        _move(self._saved, cut)
        if self._main is not None:
            cut = fit(self._main.buffer, self._main.row, lines, columns)
            self._main.row -= cut
            self._main.margins = None
            _move(self._main.saved, cut)
        self.lines, self.columns = lines, columns
        self.margins = None
        self.tabstops = set(range(8, columns, 8))
        self.ensure_hbounds()
        self.ensure_vbounds()

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        top, bottom = top or 1, min(bottom or self.lines, self.lines)
        if top < bottom:
            self.margins = None if (top, bottom) == (1, self.lines) else Margins(top - 1, bottom - 1)
            self.cursor_position()

    def draw(self, data: str) -> None:
        charset = self.g1_charset if self.charset else self.g0_charset
        if charset is not charsets.LAT1_MAP:
            data = data.translate(charset)
        if data.isascii() and mo.DECAWM in self.mode and mo.IRM not in self.mode:
            self._draw_run(data)
            return
        for char in data:
            if (width := 1 if char.isascii() else wcwidth(char)) > 0:
                self._put(char, width)
            elif unicodedata.combining(char):
                self._combine(char)

    def repeat(self, count: int = 1) -> None:
        """REP: the last character again; no more often than a row is long."""
        if self._last:
            self.draw(self._last * min(count or 1, self.columns))

    def define_charset(self, code: str, mode: str) -> None:
        """Line drawing, or plain text."""
        chosen = charsets.VT100_MAP if code == "0" else charsets.LAT1_MAP
        if mode == "(":
            self.g0_charset = chosen
        elif mode == ")":
            self.g1_charset = chosen

    def set_title(self, param: str) -> None:
        self.title = param[:MAX_TITLE]

    def next_line(self) -> None:
        """NEL."""
        self.index()
        self.carriage_return()

    def index(self) -> None:
        top, bottom = self._region
        if self.cursor.y == bottom:
            self._scroll(top, bottom, 1)
        elif self.cursor.y < self.lines - 1:
            self.cursor.y += 1

    def reverse_index(self) -> None:
        top, bottom = self._region
        if self.cursor.y == top:
            self._scroll(top, bottom, -1)
        elif self.cursor.y > 0:
            self.cursor.y -= 1

    def scroll_up(self, count: int = 1) -> None:
        """SU."""
        self._scroll(*self._region, count or 1)

    def scroll_down(self, count: int = 1) -> None:
        """SD."""
        self._scroll(*self._region, -(count or 1))

    def insert_lines(self, count: int | None = None) -> None:
        self._shift_lines(-(count or 1))

    def delete_lines(self, count: int | None = None) -> None:
        self._shift_lines(count or 1)

    def insert_characters(self, count: int | None = None) -> None:
        self._shift_cells(count or 1)

    def delete_characters(self, count: int | None = None) -> None:
        self._shift_cells(-(count or 1))

    def erase_characters(self, count: int | None = None) -> None:
        self._forget(self.cursor.x, self.cursor.x + (count or 1))

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        if how == 0:
            self._forget(self.cursor.x, self.columns)
        elif how == 1:
            self._forget(0, self.cursor.x + 1)
        elif how == 2:
            self._blank(self.cursor.y)

    def erase_in_display(self, how: int = 0, *_: Any, private: bool = False) -> None:
        """3, the rows above the screen, is none of its business."""
        y = self.cursor.y
        gone = {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}.get(how, range(0))
        for row in gone:
            self._blank(row)
        if how in (0, 1):
            self.erase_in_line(how)

    def tab(self) -> None:
        self.forward_tabs(1)

    def forward_tabs(self, count: int = 1) -> None:
        """CHT."""
        stops = sorted(stop for stop in self.tabstops if self.cursor.x < stop < self.columns)
        count = count or 1
        self.cursor.x = stops[count - 1] if count <= len(stops) else self.columns - 1

    def back_tabs(self, count: int = 1) -> None:
        """CBT."""
        stops = sorted((stop for stop in self.tabstops if stop < self.cursor.x), reverse=True)
        count = count or 1
        self.cursor.x = stops[count - 1] if count <= len(stops) else 0

    def cursor_up(self, count: int | None = None) -> None:
        top = self._region.top if self.cursor.y >= self._region.top else 0
        self.cursor.y = max(self.cursor.y - (count or 1), top)

    def cursor_down(self, count: int | None = None) -> None:
        bottom = self._region.bottom if self.cursor.y <= self._region.bottom else self.lines - 1
        self.cursor.y = min(self.cursor.y + (count or 1), bottom)

    def cursor_to_line(self, line: int | None = None) -> None:
        self.cursor.y = (line or 1) - 1 + (self._region.top if mo.DECOM in self.mode else 0)
        self.ensure_vbounds()

    def rows(self) -> tuple[str, ...]:
        """A text for each row, without the blanks at its end."""
        return tuple(text_of(self.buffer[y], self.columns) if y in self.buffer else "" for y in range(self.lines))

    def runs(self) -> tuple[tuple[Run, ...], ...]:
        """The runs of each row, none for one that is plain."""
        return tuple(runs_of(self.buffer[y], self.columns) if y in self.buffer else () for y in range(self.lines))

    @property
    def _region(self) -> Margins:
        return self.margins or Margins(0, self.lines - 1)

    def _leave_alternate(self) -> None:
        main, self._main = self._main, None
        if main is not None:
            self.buffer, self.margins, self._saved = main.buffer, main.margins, main.saved

    def _plain_charsets(self) -> None:
        self.charset, self.g0_charset, self.g1_charset = 0, charsets.LAT1_MAP, charsets.LAT1_MAP

    def _draw_run(self, data: str) -> None:
        """ASCII that wraps and replaces: a row's worth at a time."""
        at = 0
        while at < len(data):
            if self.cursor.x >= self.columns:
                self.next_line()
            x = self.cursor.x
            chunk = data[at : at + self.columns - x]
            cells = map(_cell, chunk) if self.cursor.attrs == BLANK else map(_styled, chunk, repeat(self.cursor.attrs))
            self.buffer[self.cursor.y].update(zip(range(x, x + len(chunk)), cells, strict=True))
            self.cursor.x = x + len(chunk)
            at += len(chunk)
        self._last = data[-1:]

    def _put(self, char: str, width: int) -> None:
        if self.cursor.x + width > self.columns:
            if mo.DECAWM in self.mode and self.cursor.x:
                self.next_line()
            else:
                self.cursor.x = max(0, self.columns - width)
        if mo.IRM in self.mode:
            self._shift_cells(width)
        x, row = self.cursor.x, self.buffer[self.cursor.y]
        row[x] = _styled(char, self.cursor.attrs)
        if width == 2 and x + 1 < self.columns:
            row[x + 1] = _styled("", self.cursor.attrs)
        self.cursor.x = min(x + width, self.columns if mo.DECAWM in self.mode else self.columns - 1)
        self._last = char

    def _combine(self, mark: str) -> None:
        row, x = self.buffer[self.cursor.y], self.cursor.x - 1
        if x > 0 and row[x].data == "":
            x -= 1
        if x >= 0 and row[x].data and len(row[x].data) <= MAX_COMBINING:
            row[x] = row[x]._replace(data=unicodedata.normalize("NFC", row[x].data + mark))

    def _scroll(self, top: int, bottom: int, count: int) -> None:
        """Move the rows of a region up (or down, when negative); those that leave it are gone."""
        moving = {y: self.buffer.pop(y) for y in range(top, bottom + 1) if y in self.buffer}
        for y, row in moving.items():
            if top <= y - count <= bottom:
                self.buffer[y - count] = row

    def _shift_lines(self, count: int) -> None:
        top, bottom = self._region
        if top <= self.cursor.y <= bottom:
            self._scroll(self.cursor.y, bottom, count)
            self.carriage_return()

    def _shift_cells(self, count: int) -> None:
        """Move what is in the row from the cursor on to the right (or left, when negative)."""
        x, row = min(self.cursor.x, self.columns - 1), self.buffer[self.cursor.y]
        moving = {at: row.pop(at) for at in [at for at in row if at >= x]}
        row.update({at + count: cell for at, cell in moving.items() if x <= at + count < self.columns})

    def _forget(self, first: int, end: int) -> None:
        blank = self._erased
        if self.cursor.y not in self.buffer and blank == BLANK:
            return
        row = self.buffer[self.cursor.y]
        for x in range(min(first, self.columns - 1), min(end, self.columns)):
            if blank == row.default:
                row.pop(x, None)
            else:
                row[x] = blank

    def _blank(self, y: int) -> None:
        """Erase a row."""
        self.buffer.pop(y, None)
        if (blank := self._erased) != BLANK:
            self.buffer[y] = blank_row(blank)

    @property
    def _erased(self) -> Char:
        """A blank as erasing leaves it: of the cursor's style its background colour."""
        return _styled(" ", Char("", bg=self.cursor.attrs.bg))


def _move(saved: Savepoint | None, cut: int) -> None:
    if saved is not None:
        saved.cursor.y = max(0, saved.cursor.y - cut)
