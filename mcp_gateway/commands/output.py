"""What commands print: JSON for scripts, tables for people, and nothing that could steer a terminal."""

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Literal

import orjson
import typer
from pydantic import BaseModel

from shared.terminal.visible import visible, visible_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

NONE = "none"
GAP = 2
SHORT = 12
"""Cells of so many characters are never folded while others can be."""

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u180e\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters but tab and line feed, those of C1 included, and what is not seen or changes the order of text."""


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among the options, before anything is parsed; those of `run` end where its command begins."""
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if argument == "--":
            return False
        if argument == "--json":
            return True
        takes_value = before.startswith("--") and "=" not in before
        if arguments[0] == "run" and not argument.startswith("-") and argument != "run" and not takes_value:
            return False
    return False


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True)
    print(visible_json(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()))


def on_terminal() -> bool:
    """Whether a person sees what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()) -> None:
    """A table; on a terminal as wide as it is, elsewhere each row on one line, in full.

    The columns named in `right` stand at their right edge. Nothing is ever cut off: where there is too little room, the longest cells go on in the next line.
    """
    cells = [tuple(visible(str(cell)) for cell in row) for row in rows]
    if not cells:
        print(NONE)
    elif on_terminal():
        _print_fitted(columns, cells, right)
    else:
        _print_lines(columns, [tuple(" ".join(cell.split()) for cell in row) for row in cells], right)


def spoken(text: str) -> str:
    """A model's words without control characters but tabs and line feeds, and without bidirectional ones.

    They must not move the cursor. Names are printed with `visible`, since one without such characters may be another name.
    """
    return _CONTROL.sub("", text)


def shown(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if all(isinstance(able, bool) for able in value.values()):
            return shown([name for name, able in value.items() if able])
        return ", ".join(f"{name}: {shown(item)}" for name, item in value.items()) or NONE
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or NONE
    return str(value)


def _print_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    forms = [f"{{:{'>' if name in right else '<'}{width}}}" for name, width in zip(columns, widths, strict=True)]
    for row in (columns, *rows):
        print((" " * GAP).join(form.format(cell) for form, cell in zip(forms, row, strict=True)).rstrip())


def _print_fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for index, name in enumerate(columns):
        longest = max(len(name), *(len(row[index]) for row in rows))
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, overflow="fold", min_width=min(longest, SHORT), justify=justify)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
