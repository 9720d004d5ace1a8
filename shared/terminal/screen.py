"""The screen that a terminal would show, rendered from the text that a shell wrote."""

import re
import unicodedata

import pyte
from pyte.screens import wcwidth

MAX_SEQUENCE = 4096
MAX_COMBINING = 4

_SEQUENCE = re.compile(
    r"\x1b\[([0-?]*)([ -/]*)([@-~])"  # CSI: parameters, intermediates, final
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b))"  # OSC, DCS, SOS, PM, APC: never drawn
    r"|\x1b(?![\[\]PX^_])[ -/]*[0-~]"
    r"|\x1b",  # the beginning of none
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_CONTROLS = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f\x80-\x9f]")
_PARAMETERS = re.compile(r"\??[0-9]{0,5}(?:;[0-9]{0,5}){0,31}")

_MOST_PARAMETERS = {**dict.fromkeys("ABCDEFGade`JKLMPX@gE", 1), **dict.fromkeys("Hfr", 2), "m": 32, "h": 16, "l": 16}
"""The sequences that the renderer takes, by final character, with the parameters it takes for each."""
_PRIVATE = frozenset("hlJK")
_ESCAPES = frozenset("cDEHM78")
_ERASE = frozenset({"", "0", "1", "2"})


class Screen:
    """A screen of so many columns and rows. `feed` it text in order; `lines` is what it shows."""

    def __init__(self, cols: int, rows: int) -> None:
        self._screen = pyte.Screen(cols, rows)
        self._stream = pyte.Stream(self._screen)
        self._carry = ""

    def feed(self, text: str) -> None:
        """Take in what the shell wrote."""
        text = self._carry + text
        unfinished = _UNFINISHED.search(text)
        self._carry = unfinished.group() if unfinished and len(unfinished.group()) < MAX_SEQUENCE else ""
        if unfinished:
            text = text[: unfinished.start()]
        self._stream.feed(_drawable(_SEQUENCE.sub(_supported, text)))

    def resize(self, cols: int, rows: int) -> None:
        """Change the size."""
        self._screen.resize(rows, cols)

    @property
    def lines(self) -> list[str]:
        """One text for each row, without the blanks at its end."""
        columns = range(self._screen.columns)
        rows = (self._screen.buffer[y] for y in range(self._screen.lines))
        return ["".join(row[x].data for x in columns).rstrip() for row in rows]


def _supported(found: re.Match[str]) -> str:
    """The sequence in a form that the renderer takes, or nothing."""
    parameters, intermediates, final = found.groups()
    if final is None:
        sequence = found.group()
        return sequence if len(sequence) == 2 and sequence[1] in _ESCAPES else ""
    most = _MOST_PARAMETERS.get(final)
    if most is None or intermediates or not _PARAMETERS.fullmatch(parameters):
        return ""
    private = "?" if parameters.startswith("?") else ""
    if private and final not in _PRIVATE:
        return ""
    kept = ";".join(parameters.removeprefix("?").split(";")[:most])
    if final in "JK" and kept not in _ERASE:
        return ""
    return f"\x1b[{private}{kept}{final}"


def _drawable(text: str) -> str:
    """Without the characters that would make the renderer drop the rest of a line, or pile up in one cell."""
    text = _CONTROLS.sub("", text)
    if text.isascii():
        return text
    kept: list[str] = []
    combining = 0
    for character in text:
        if character < "\x7f" or wcwidth(character) > 0:
            combining = 0
        elif unicodedata.combining(character) and combining < MAX_COMBINING:
            combining += 1
        else:
            continue
        kept.append(character)
    return "".join(kept)
