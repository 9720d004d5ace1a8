"""What a terminal has shown, in the form that costs a model least: text, a whole screen, or its changed rows. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_gateway.rendering import fitted
from shared.domain.screens import ScreenSpan
from shared.domain.terminal import Output
from shared.domain.waits import View
from shared.terminal.sequences import plain, split_unfinished

DIFF_SHARE = 0.5
HEAD_SHARE = 0.6
MARKS = "\N{BLACK RIGHT-POINTING TRIANGLE}\N{BLACK LEFT-POINTING TRIANGLE}"
"""What stands before and after highlighted text."""
RECENT = 32 * 1024
"""Characters that are looked at for what kind of program writes them."""

_SWITCH = re.compile(r"\x1b\[\?(?:1049|1047|47)([hl])")
_KEYPAD = re.compile(r"\x1b\[\?1([hl])")
_PLACED = re.compile(
    r"\x1b\[(?:\d+;\d+[Hf]|\d+d)"  # at a row
    r"|\x1b\[H(?!\x1b\[[0-3]?J)"  # at the top, and not to clear what is there, as `clear` does
    r"|\x1b\[\?1h[^\n]{0,40}\x1b\[H"  # at the top, with the keypad for itself
)
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?=[^\n])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Written:
    """What came after a cursor, and whether a full-screen program had the screen before that.

    It says what kind of program writes without a screen being rendered, which takes long for very much output.
    """

    part: Output
    began_full_screen: bool
    began_held: bool = False

    @property
    def raw(self) -> str:
        """The text, with its control sequences."""
        return "".join(self.part.output)

    @property
    def full_screen(self) -> bool:
        """Whether a full-screen program shows its own screen."""
        last = next(reversed(_SWITCH.findall(self.raw)), None)
        return self.began_full_screen if last is None else last == "h"

    @property
    def held(self) -> bool:
        """Whether a program has the screen: one of its own, or the main one with the keypad, as dialogs do."""
        if self.full_screen:
            return True
        last = next(reversed(list(_KEYPAD.finditer(self.raw))), None)
        if last is None:
            return self.began_held and not self.began_full_screen
        return last[1] == "h" and _PLACED.search(self.raw, last.start()) is not None

    @property
    def drawn(self) -> bool:
        """Whether something was put at places of the screen, so that it makes no sense as text; `top` does so."""
        return self.held or _PLACED.search(_without_other_screens(self.raw[-RECENT:])) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a model gets to see. After `gap`, a cursor, so many characters are left out."""

    view: View
    text: str
    cursor: int
    left_out: int = 0
    gap: int | None = None
    lost: int = 0


def text_of(written: Written, *, limit: int) -> Picture:
    """What was written, in at most about `limit` characters: its beginning and its end."""
    part, raw = written.part, written.raw
    text = readable(raw)
    if len(text) <= limit:
        return Picture(view="text", text=text, cursor=part.cursor, lost=part.dropped)
    head, tail = _ends(raw, int(len(raw) * limit / len(text)))
    left_out = len(raw) - len(head) - len(tail)
    between = f"\n[… {left_out:,} characters left out here …]\n"
    return Picture(
        view="text",
        text=fitted(readable(head) + between + readable(tail), 2 * limit).text,
        cursor=part.cursor,
        left_out=left_out,
        gap=part.cursor - len(raw) + len(head),
        lost=part.dropped,
    )


def pictured(screen: Output, view: View, *, limit: int) -> Picture:
    """The rows of a screen, or only those that are in `screen.rows`; what is highlighted stands between marks."""
    rows = range(len(screen.output)) if screen.rows is None else screen.rows
    highlights = [span for span in screen.attributes or () if span.highlight]
    lines = {row: _with_marks(line, row, highlights) for row, line in zip(rows, screen.output, strict=True)}
    if view == "diff":
        text = "\n".join(f"{row}: {line}" for row, line in lines.items())
    else:
        text = "\n".join(lines.values()).rstrip("\n")
    cut = fitted(text, limit)
    return Picture(view=view, text=cut.text, cursor=screen.cursor, left_out=cut.left_out)


def _with_marks(line: str, row: int, highlights: Sequence[ScreenSpan]) -> str:
    """Put each highlight of the row between marks, without the blanks at its ends."""
    ends: list[tuple[int, int]] = []
    for span in highlights:
        if span.row != row:
            continue
        if ends and ends[-1][1] == span.start:
            ends[-1] = ends[-1][0], span.end
        else:
            ends.append((span.start, span.end))
    for start, end in reversed(ends):
        text = line[start:end]
        lead = len(text) - len(text.lstrip())
        marked = f"{text[:lead]}{MARKS[0]}{text.strip()}{MARKS[1]}{text[len(text.rstrip()) :]}"
        line = line[:start] + marked + line[end:]
    return line


def mostly_changed(screen: Output) -> bool:
    """Whether so many rows have changed that all of them are as cheap to read."""
    assert screen.screen is not None
    return len(screen.rows or ()) > screen.screen.rows * DIFF_SHARE


def readable(raw: str) -> str:
    """What was written as text: without sequences, without other screens, and of a line that was overwritten its end."""
    return _OVERWRITTEN.sub("", plain(_without_other_screens(raw)))


def _without_other_screens(raw: str) -> str:
    """Without what full-screen programs drew on a screen of their own before they left it again. One pass over it."""
    kept: list[str] = []
    begin, entered = 0, None
    for switch in _SWITCH.finditer(raw):
        if switch[1] == "h":
            entered = switch.start() if entered is None else entered
            continue
        if entered is None:  # it began before all of this
            kept.clear()
        else:
            kept.append(raw[begin:entered])
        begin, entered = switch.end(), None
    return "".join((*kept, raw[begin:]))


def _ends(raw: str, keep: int) -> tuple[str, str]:
    """The beginning and the end of it, whole lines where lines are short, and no part of a sequence."""
    head, tail = raw[: int(keep * HEAD_SHARE)], raw[len(raw) - (keep - int(keep * HEAD_SHARE)) :]
    if (line_end := head.rfind("\n")) > len(head) * 0.5:
        head = head[: line_end + 1]
    if 0 < (line_start := tail.find("\n") + 1) < len(tail) * 0.5:
        tail = tail[line_start:]
    return split_unfinished(head)[0], tail
