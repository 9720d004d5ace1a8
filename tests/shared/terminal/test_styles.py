"""The attributes of a screen, and what stands out on it."""

import pytest

from shared.terminal.screen import Screen
from shared.terminal.styles import Span, Style, spans


def seen(text: str, cols: int = 20, rows: int = 4) -> tuple[Span, ...]:
    screen = Screen(cols, rows)
    screen.feed(text)
    look = screen.look
    return spans(look.lines, look.runs, look.columns)


def highlights(text: str, cols: int = 20, rows: int = 4) -> list[str]:
    return [span.text.strip() for span in seen(text, cols, rows) if span.highlight]


def test_a_plain_screen_has_no_spans() -> None:
    assert seen("one\r\ntwo\x1b[m three") == ()


def test_spans_count_characters_and_not_columns() -> None:
    [span] = seen("漢字\x1b[1;4;33mab\x1b[0m")
    assert (span.row, span.start, span.end, span.text) == (0, 2, 4, "ab")
    assert span.style == Style(fg="yellow", bold=True, underline=True)


@pytest.mark.parametrize("on", ["\x1b[7m", "\x1b[44m", "\x1b[48;5;236m", "\x1b[48;2;1;2;3m"])
def test_text_on_another_ground_than_the_other_rows_is_highlighted(on: str) -> None:
    assert highlights(f"one\r\n{on}two\x1b[0m\r\nthree") == ["two"]


def test_text_in_another_colour_alone_is_not_highlighted() -> None:
    assert highlights("one\r\n\x1b[31mtwo\x1b[0m\r\nthree") == []


def test_the_plain_item_of_a_reversed_menu_is_highlighted() -> None:
    assert highlights("\x1b[7m| one |\r\n| two |\r\n| \x1b[0mthree\x1b[7m |\r\n| four |") == ["three"]


def test_a_backdrop_is_a_highlight_only_where_it_is_enclosed() -> None:
    blue, white = "\x1b[44m", "\x1b[47m"
    box = f"{blue}\x1b[2J\x1b[1;1Htitle" + "".join(
        f"\x1b[{row};4H{white}| {blue if item == 'two' else ''}{item}{white} |"
        for row, item in ((2, "one"), (3, "two"))
    )
    assert highlights(box + f"\x1b[4;4H{white}| six |") == ["two"]


def test_lines_and_blanks_are_no_highlights() -> None:
    assert highlights("one\r\n\x1b[7m ── \x1b[0m\r\nthree") == []


def test_erasing_takes_the_colour_of_the_cursor() -> None:
    [span] = seen("ab\x1b[1;2H\x1b[41m\x1b[X\x1b[0m\x1b[1;3Hc")
    assert (span.text, span.style.bg) == (" ", "red")
