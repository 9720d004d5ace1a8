"""Searching and paging stored output, over blocks of any size."""

import re

import pytest

from shared.terminal import searching
from shared.terminal.patterns import Pattern

LINES = [f"line {number} {'x' * (number * 7 % 50)}" for number in range(1, 2001)]
TEXT = ("\n".join(LINES) + "\n").encode()


def read(position: int, count: int) -> bytes:
    return TEXT[position : position + count]


@pytest.mark.parametrize("block", [64, 1000, 1024 * 1024])
@pytest.mark.parametrize("pattern", ["7", "^line 1", "x$", "line 1999", "^", "nothing"])
def test_matching_lines_and_their_numbers_do_not_depend_on_blocks(
    monkeypatch: pytest.MonkeyPatch, block: int, pattern: str
) -> None:
    monkeypatch.setattr(searching, "BLOCK", block)
    expected = [number for number, line in enumerate(LINES, 1) if re.search(pattern, line)]
    found: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        part = searching.search(read, len(TEXT), Pattern(pattern), start=cursor, context=0, most=300)
        found += [match.line for match in part.matches]
        assert all(match.text == LINES[match.line - 1] for match in part.matches)
        cursor = part.next_cursor
    assert found == expected


def test_the_lines_around_a_match_are_shown() -> None:
    (match,) = searching.search(read, len(TEXT), Pattern("^line 1999 "), start=0, context=2, most=9).matches
    assert (match.line, match.before, match.after) == (1999, LINES[1996:1998], LINES[1999:2000])
    (first,) = searching.search(read, len(TEXT), Pattern("^line 1 "), start=0, context=2, most=9).matches
    assert (first.before, first.after) == ([], LINES[1:3])


@pytest.mark.parametrize("block", [64, 1024 * 1024])
def test_the_tail_begins_at_a_line(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(searching, "BLOCK", block)
    for lines in (1, 3, 1999):
        start = searching.tail_start(read, len(TEXT), lines)
        assert TEXT[start:].decode().splitlines() == LINES[-lines:]
        assert searching.line_at(read, start) == 2001 - lines
    assert searching.tail_start(read, len(TEXT), 5000) == 0


def test_a_very_long_line_is_cut_around_the_match() -> None:
    data = b"a" * 100_000 + b"needle" + b"b" * 100_000
    (match,) = searching.search(
        lambda at, count: data[at : at + count], len(data), Pattern("needle"), start=0, context=0, most=1
    ).matches
    assert "needle" in match.text
    assert len(match.text) < 2100


def test_text_of_a_terminal_is_searched_without_its_control_sequences() -> None:
    text = "\x1b[31mer\x1b[0mror one\r\nfine\r\nerror two\r\n"
    found = searching.search_text(text, Pattern("^error"), start=0, context=1, most=1)
    assert [(match.line, match.text, match.after) for match in found.matches] == [(1, "error one", ["fine"])]
    again = searching.search_text(text, Pattern("^error"), start=found.next_cursor or 0, context=0, most=1)
    assert [(match.line, match.text) for match in again.matches] == [(3, "error two")]
    assert again.next_cursor is None
