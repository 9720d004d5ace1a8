"""The cells of a terminal's screen: rows by number, characters by column, where absent is blank."""

from collections import defaultdict

from pyte.screens import Char, StaticDefaultDict, wcwidth

Row = StaticDefaultDict[int, Char]
Buffer = dict[int, Row]


BLANK = Char(" ")


def empty() -> Buffer:
    """A screen with nothing on it."""
    return defaultdict(blank_row)


def blank_row(blank: Char = BLANK) -> Row:
    """A row with nothing on it."""
    return StaticDefaultDict(blank)


def fit(buffer: Buffer, row: int, lines: int, columns: int) -> int:
    """Cut rows and cells to a size, so that the row stays in it. Returns how many were cut from the top."""
    cut = max(0, row + 1 - lines)
    for y in sorted(buffer):
        cells = buffer.pop(y)
        if 0 <= y - cut < lines:
            buffer[y - cut] = cells
            for x in [x for x in cells if x >= columns]:
                del cells[x]
    return cut


def text_of(row: Row, columns: int) -> str:
    """What a row shows, without the blanks at its end."""
    width = min(max(row, default=-1) + 1, columns)
    cells = [row[x].data for x in range(width)]
    text = "".join(cells)
    return (text if text.isascii() and len(text) == width else "".join(shown(cells))).rstrip()


def shown(cells: list[str]) -> list[str]:
    """Halves of wide characters whose other half was written over are blank."""
    whole = []
    for x, cell in enumerate(cells):
        stub_follows = x + 1 < len(cells) and cells[x + 1] == ""
        if cell == "":
            whole.append("" if x and _is_wide(cells[x - 1]) else " ")
        else:
            whole.append(" " if _is_wide(cell) and not stub_follows else cell)
    return whole


def _is_wide(cell: str) -> bool:
    return cell != "" and not cell.isascii() and wcwidth(cell[0]) == 2
