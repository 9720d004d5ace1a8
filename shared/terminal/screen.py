"""The screen that a terminal would show, rendered from the text that a shell wrote."""

import re
from dataclasses import dataclass

from shared.terminal.emulator import APPLICATION_CURSOR, BRACKETED_PASTE, Emulator
from shared.terminal.sequences import TOKEN, shortened, split_unfinished
from shared.terminal.styles import Run

_PARAMETERS = re.compile(r"\??(?:[0-9]{1,5})?(?:;(?:[0-9]{1,5})?){0,31}")
MAX_PARAMETER = 9999

_CONTROLS = {
    "\b": "backspace",
    "\t": "tab",
    "\n": "linefeed",
    "\v": "linefeed",
    "\f": "linefeed",
    "\r": "carriage_return",
    "\x0e": "shift_out",
    "\x0f": "shift_in",
}
_ESCAPES = {
    "c": "reset",
    "D": "index",
    "E": "next_line",
    "H": "set_tab_stop",
    "M": "reverse_index",
    "7": "save_cursor",
    "8": "restore_cursor",
}
_SEQUENCES = {
    "@": ("insert_characters", 1),
    "A": ("cursor_up", 1),
    "B": ("cursor_down", 1),
    "C": ("cursor_forward", 1),
    "D": ("cursor_back", 1),
    "E": ("cursor_down1", 1),
    "F": ("cursor_up1", 1),
    "G": ("cursor_to_column", 1),
    "H": ("cursor_position", 2),
    "I": ("forward_tabs", 1),
    "J": ("erase_in_display", 1),
    "K": ("erase_in_line", 1),
    "L": ("insert_lines", 1),
    "M": ("delete_lines", 1),
    "P": ("delete_characters", 1),
    "S": ("scroll_up", 1),
    "T": ("scroll_down", 1),
    "X": ("erase_characters", 1),
    "Z": ("back_tabs", 1),
    "`": ("cursor_to_column", 1),
    "a": ("cursor_forward", 1),
    "b": ("repeat", 1),
    "d": ("cursor_to_line", 1),
    "e": ("cursor_down", 1),
    "f": ("cursor_position", 2),
    "g": ("clear_tab_stop", 1),
    "h": ("set_mode", 16),
    "l": ("reset_mode", 16),
    "m": ("select_graphic_rendition", 32),
    "r": ("set_margins", 2),
    "s": ("save_cursor", 0),
    "u": ("restore_cursor", 0),
}
"""The sequences that are understood, by final character, with the parameters that each takes."""
_PRIVATE = frozenset("hlJK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a screen shows. Rows and columns count from 0; the column may be one past the last, before a wrap."""

    lines: tuple[str, ...]
    runs: tuple[tuple[Run, ...], ...]
    columns: int
    row: int
    column: int
    cursor_visible: bool
    title: str
    bells: int
    alternate: bool


class Screen:
    """A screen of so many columns and rows. `feed` it text in order; `look` is what it shows."""

    def __init__(self, cols: int, rows: int) -> None:
        self._emulator = Emulator(cols, rows)
        self._carry = ""
        self._bells = 0

    @property
    def application_cursor(self) -> bool:
        """Whether the program wants the cursor keys in their other form (DECCKM)."""
        return self._emulator.has_mode(APPLICATION_CURSOR)

    @property
    def bracketed_paste(self) -> bool:
        """Whether the program wants to be told what is pasted."""
        return self._emulator.has_mode(BRACKETED_PASTE)

    @property
    def lines(self) -> list[str]:
        """One text for each row, without the blanks at its end."""
        return list(self._emulator.rows())

    @property
    def look(self) -> Look:
        """All that can be seen."""
        emulator = self._emulator
        return Look(
            lines=emulator.rows(),
            runs=emulator.runs(),
            columns=emulator.columns,
            row=emulator.cursor.y,
            column=emulator.cursor.x,
            cursor_visible=not emulator.cursor.hidden,
            title=emulator.title,
            bells=self._bells,
            alternate=emulator.alternate,
        )

    def feed(self, text: str) -> None:
        """Take in what the shell wrote."""
        for token in TOKEN.finditer(self._whole(text)):
            kind = token.lastgroup
            if kind == "text":
                self._emulator.draw(token.group())
            elif kind == "control":
                self._control(token.group())
            else:
                self._sequence(kind, token)

    def skip(self, text: str) -> None:
        """Take in what was written, but for what it draws: modes, screens and titles are right after it."""
        for token in TOKEN.finditer(self._whole(text)):
            if (kind := token.lastgroup) == "osc" or token["csi"] in ("h", "l", "m", "p") or token["escape"] == "c":
                self._sequence(kind, token)
            elif token.group() == "\a":
                self._bells += 1

    def resize(self, cols: int, rows: int) -> None:
        """Change the size."""
        self._emulator.resize(rows, cols)

    def _whole(self, text: str) -> str:
        """The text with what was kept before, up to a sequence that is kept now."""
        text, unfinished = split_unfinished(self._carry + text)
        self._carry = shortened(unfinished)
        return text

    def _control(self, control: str) -> None:
        if control == "\a":
            self._bells += 1
        elif name := _CONTROLS.get(control):
            getattr(self._emulator, name)()

    def _sequence(self, kind: str | None, token: "re.Match[str]") -> None:
        if kind == "csi":
            self._csi(token["parameters"], token["intermediates"], token["csi"])
        elif kind == "osc":
            code, _, rest = token["osc"].partition(";")
            if code in ("0", "2"):
                self._emulator.set_title("".join(filter(str.isprintable, rest)))
        elif kind == "escape" and token["set"] in ("(", ")"):
            self._emulator.define_charset(token["escape"], token["set"])
        elif kind == "escape" and not token["set"] and (name := _ESCAPES.get(token["escape"])):
            getattr(self._emulator, name)()

    def _csi(self, parameters: str, intermediates: str, final: str) -> None:
        if (intermediates, final) == ("!", "p"):
            self._emulator.soft_reset()
        private = parameters.startswith("?")
        if intermediates or final not in _SEQUENCES or not _PARAMETERS.fullmatch(parameters):
            return
        if private and final not in _PRIVATE:
            return
        name, most = _SEQUENCES[final]
        given = parameters.removeprefix("?").split(";")[:most]
        numbers = [min(int(number or 0), MAX_PARAMETER) for number in given]
        options = {"private": True} if private else {}
        getattr(self._emulator, name)(*numbers, **options)
