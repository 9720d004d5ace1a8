"""The attributes of a screen's cells, and which of its text stands out as a selection."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from pyte.screens import Char

from shared.terminal.cells import Row, shown

_PLAIN = Char("")[1:]
_YELLOW = {"brown": "yellow", "brightbrown": "brightyellow"}


class Style(NamedTuple):
    """How a cell is drawn. Colours are names (`red`, `brightred`), six hexadecimal digits, or `default`."""

    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    underline: bool = False
    reverse: bool = False

    @property
    def ground(self) -> str:
        """The colour behind the text; `text` for reverse video in default colours."""
        if not self.reverse:
            return self.bg
        return "text" if self.fg == "default" else self.fg


PLAIN = Style()


class Run(NamedTuple):
    """Neighbouring cells of a row with one style."""

    text: str
    columns: int
    style: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Text of a row that is not plain. `start` and `end` count characters of the row's text from 0."""

    row: int
    start: int
    end: int
    text: str
    style: Style
    highlight: bool


def runs_of(row: Row, columns: int) -> tuple[Run, ...]:
    """Return the runs of a whole row; none where all of it is plain."""
    if row.default[1:] == _PLAIN and all(cell[1:] == _PLAIN for cell in row.values()):
        return ()
    cells = [row[x] for x in range(columns)]
    texts = shown([cell.data for cell in cells])
    runs = []
    for style, run in groupby(zip(cells, texts, strict=True), key=lambda pair: _style(pair[0][1:])):
        parts = [text for _, text in run]
        runs.append(Run("".join(parts), len(parts), style))
    return tuple(runs)


def spans(lines: Sequence[str], runs: Sequence[tuple[Run, ...]], columns: int) -> tuple[Span, ...]:
    """Return all text that is not plain, row by row.

    A highlight is text on another ground than the text of most rows. The ground of most cells is a backdrop, unless
    something else encloses it in its row.
    """
    rows = [found or (Run(line, columns, PLAIN),) for line, found in zip(lines, runs, strict=True)]
    common = _common_ground(rows)
    area = Counter[str]()
    for run in (run for row in rows for run in row):
        area[run.style.ground] += run.columns
    backdrop = max(area, key=lambda ground: area[ground], default="default")
    found: list[Span] = []
    for at, row in enumerate(rows):
        marked = _marked(row, common, backdrop)
        found += _spans_of(at, len(lines[at]), zip(row, marked, strict=True))
    return tuple(found)


def _common_ground(rows: Sequence[tuple[Run, ...]]) -> str:
    """The ground that the text of most rows stands on; of equals the default."""
    having = Counter(
        ground for row in rows for ground in {run.style.ground for run in row if _says_something(run.text)}
    )
    return max(having, key=lambda ground: (having[ground], ground == "default"), default="default")


def _marked(row: tuple[Run, ...], common: str, backdrop: str) -> list[bool]:
    marked: list[bool] = []
    for ground, group in groupby(row, key=lambda run: run.style.ground):
        together = list(group)
        at_edge = not marked or len(marked) + len(together) == len(row)
        is_one = ground != common and not (ground == backdrop and at_edge)
        marked += [is_one and _says_something("".join(run.text for run in together))] * len(together)
    return marked


def _spans_of(row: int, length: int, runs: Iterable[tuple[Run, bool]]) -> list[Span]:
    found, at = [], 0
    for run, highlight in runs:
        start, at = at, at + len(run.text)
        end = min(at, length)
        if start < end and (highlight or run.style != PLAIN):
            text = run.text[: end - start]
            found.append(Span(row=row, start=start, end=end, text=text, style=run.style, highlight=highlight))
    return found


def _says_something(text: str) -> bool:
    """Whether it has more than blanks, lines and blocks."""
    return any(not (char.isspace() or "\u2500" <= char <= "\u259f") for char in text)


@lru_cache(1024)
def _style(attributes: tuple[str | bool, ...]) -> Style:
    fg, bg, bold, _, underline, _, reverse, _ = attributes
    fg, bg = str(fg), str(bg)
    return Style(_YELLOW.get(fg, fg), _YELLOW.get(bg, bg), bool(bold), bool(underline), bool(reverse))
