"""Control sequences in what a program writes: where they begin and end, and the text without them."""

import re

TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<parameters>[0-?]*)(?P<intermediates>[ -/]*)(?P<csi>[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\|(?=\x1b|\Z))"
    r"|\x1b[PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b|\Z))"  # DCS, SOS, PM, APC: never drawn
    r"|\x1b(?P<set>[ -/]*)(?P<escape>[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
"""One piece of what is written: text, a control sequence (CSI), an operating system command (OSC), and so on.

A command at the very end is one that the sequence after it ends, which is not whole yet (`split_unfinished`).
"""

MAX_UNFINISHED = 4096

_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_NOT_TEXT = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|(?=\x1b)|\Z)|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_AT_LINE_END = re.compile(r"(?<!\r)\r++(?=\n)|(?<=\n)\r++")


def split_unfinished(text: str) -> tuple[str, str]:
    """The text up to a sequence that is not whole yet, and that sequence."""
    unfinished = _UNFINISHED.search(text)
    if unfinished is None:
        return text, ""
    return text[: unfinished.start()], unfinished.group()


def shortened(unfinished: str) -> str:
    """An unfinished sequence in a bounded form. Of one that is too long only its end is still looked for."""
    if len(unfinished) < MAX_UNFINISHED:
        return unfinished
    if unfinished[1] == "[":
        return ""
    return "\x1b_\x1b" if unfinished.endswith("\x1b") else "\x1b_"


def plain(text: str) -> str:
    """Text without sequences and control characters other than tab, line feed and a carriage return in a line."""
    return _AT_LINE_END.sub("", _NOT_TEXT.sub("", text))
