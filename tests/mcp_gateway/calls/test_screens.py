"""What a terminal has shown, in the form that costs least."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_gateway.calls.screens import Picture, Written, mostly_changed, pictured, readable, text_of
from shared.domain.screens import ScreenInfo
from shared.domain.terminal import Output

LEAVE = "\x1b[?1049l"
ENTER = "\x1b[?1049h"


def written(raw: str, *, full_screen: bool = False, start: int = 0) -> Written:
    """A terminal that has written `raw` after the cursor `start`."""
    part = Output(output=[raw] if raw else [], cursor=start + len(raw), dropped=0, connected=True)
    return Written(part, full_screen)


def screen(rows: dict[int, str]) -> Output:
    """A terminal of ten rows of which these have changed."""
    info = ScreenInfo(
        cols=80, rows=10, cursor_row=0, cursor_col=0, cursor_visible=True, title="", bells=0, alternate=True
    )
    return Output(output=list(rows.values()), cursor=9, dropped=0, connected=True, screen=info, rows=list(rows))


def test_text_is_shown_without_what_makes_it_colourful() -> None:
    assert readable("\x1b[1;31mred\x1b[0m\r\n\x1b]0;title\x07$ ") == "red\n$ "


def test_of_a_line_that_was_overwritten_its_end_is_shown() -> None:
    assert readable("  1%\r 50%\r100%\r\ndone\r\n") == "100%\ndone\n"


@pytest.mark.parametrize(
    "raw", [f"$ vim\r\n{ENTER}a picture{LEAVE}$ ", f"$ vim\r\n{ENTER}one{LEAVE}{ENTER}two{LEAVE}$ "]
)
def test_what_a_full_screen_program_drew_is_gone_with_it(raw: str) -> None:
    assert readable(raw) == "$ vim\n$ "


def test_the_end_of_a_full_screen_program_that_began_before_is_gone_too() -> None:
    assert readable(f':wq\r\n"a" written{LEAVE}$ ') == "$ "


def test_output_that_enters_a_screen_over_and_over_is_read_in_one_pass() -> None:
    """A megabyte of it: what looks for the end of each screen anew takes an hour, and the gateway stands still."""
    assert readable("$ a\r\n" + "\x1b[?47h" * 170_000) == "$ a\n"
    assert readable("$ a\r\n" + f"{ENTER}x{LEAVE}" * 60_000 + "$ ") == "$ a\n$ "
    assert written(ENTER * 130_000).drawn


@given(st.lists(st.sampled_from([ENTER, LEAVE, "\x1b[?47h", "\x1b[?1047l", "a", "b\n"]), max_size=12).map("".join))
def test_one_pass_leaves_what_is_between_the_screens(raw: str) -> None:
    spans = re.sub(r"\x1b\[\?(?:1049|1047|47)h.*?\x1b\[\?(?:1049|1047|47)l", "", raw, flags=re.DOTALL)
    ended = re.sub(r"\A.*\x1b\[\?(?:1049|1047|47)l", "", spans, flags=re.DOTALL)
    assert readable(raw) == re.sub(r"\x1b\[\?\d+[hl]", "", ended)


@pytest.mark.parametrize(
    ("raw", "drawn"),
    [
        ("ls\r\nfile\r\n$ ", False),
        ("\x1b[H\x1b[2Jafter clear\r\n$ ", False),
        ("\x1b[H\x1b[J$ ", False),
        ("\x1b[?1h\x1b=\x1b[?2004h% ", False),
        ("\x1b[?2004h$ word\x1b[K\x1b[2D", False),
        (f"$ vim\r\n{ENTER}\x1b[3;1Hrow three{LEAVE}$ ", False),
        ("\x1b[3;1Hrow three", True),
        ("\x1b[3drow three", True),
        ("\x1b[Htop - 12:00", True),
        ("\x1b[?1h\x1b=\x1b[?25l\x1b[H\x1b[2Jtop - 12:00", True),
        (f"$ vim\r\n{ENTER}", True),
    ],
)
def test_a_program_that_draws_is_told_from_one_that_writes(raw: str, drawn: bool) -> None:
    assert written(raw).drawn is drawn


def test_a_full_screen_program_has_the_screen_until_it_leaves() -> None:
    assert written("", full_screen=True).full_screen
    assert written(f"a{ENTER}b{LEAVE}c{ENTER}").full_screen
    assert not written(f"a{LEAVE}", full_screen=True).full_screen


def test_rows_are_numbered_in_a_diff_and_trailing_ones_left_out_of_a_screen() -> None:
    assert pictured(screen({3: "three", 7: ""}), "diff", limit=100).text == "3: three\n7: "
    assert pictured(screen(dict(enumerate(["a", "", "b", "", ""]))), "screen", limit=100).text == "a\n\nb"
    assert not mostly_changed(screen({1: "one"}))
    assert mostly_changed(screen(dict.fromkeys(range(6), "x")))


def test_long_text_keeps_its_ends_and_says_where_its_middle_is() -> None:
    raw = "".join(f"\x1b[32mline {number}\x1b[0m\r\n" for number in range(5_000)) + "$ "
    found = text_of(written(raw, start=1_000), limit=2_000)
    head, _, tail = found.text.partition("\n[… ")
    assert head.startswith("line 0\nline 1\n")
    assert tail.endswith("line 4999\n$ ")
    assert len(found.text) < 2_200
    assert found.gap is not None
    again = text_of(written(raw[found.gap - 1_000 :], start=found.gap), limit=2_000)
    last = int(head.splitlines()[-1].removeprefix("line "))
    assert again.text.startswith(f"line {last + 1}\n")


@given(st.text(st.sampled_from("ab\r\n\x1b[;1mHJ漢é?]\x07"), max_size=3_000), st.integers(300, 1_000))
@settings(max_examples=200, deadline=None)
def test_whatever_was_written_it_fits_and_reading_on_gets_on(raw: str, limit: int) -> None:
    found: Picture = text_of(written(raw, start=7), limit=limit)
    assert len(found.text) <= 2 * limit + 200
    assert (found.gap is None) == (found.left_out == 0)
    if found.gap is not None:
        assert 7 <= found.gap < found.cursor
