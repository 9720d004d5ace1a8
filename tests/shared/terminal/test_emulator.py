"""The emulator: the alternate screen, and what full-screen programs rely on."""

import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.terminal.screen import Look, Screen

MAIN = "one\r\ntwo\r\nthr"
FULL = "\x1b[H\x1b[2J\x1b[2;3rstatus\x1b[3;1Hbody\n\n\n\x1b[?25l"
CURSOR_KEYS, KEYPAD = "\x1b[?1h", "\x1b="


def looked(*pieces: str, cols: int = 20, rows: int = 5) -> Look:
    screen = Screen(cols, rows)
    for piece in pieces:
        screen.feed(piece)
    return screen.look


def shown(*pieces: str, **size: int) -> list[str]:
    return list(looked(*pieces, **size).lines)


@pytest.mark.parametrize(
    ("enter", "leave"),
    [
        ("\x1b[?1049h", "\x1b[?1049l"),  # xterm, and all that take after it
        ("\x1b[?1049h\x1b[22;0;0t", "\x1b[?1049l\x1b[23;0;0t"),  # with the title kept
        ("\x1b7\x1b[?47h", "\x1b[2J\x1b[?47l\x1b8"),  # old xterm
        ("\x1b7\x1b[?1047h", "\x1b[?1047l\x1b8"),
        ("\x1b[?1048h\x1b[?1047h", "\x1b[?1047l\x1b[?1048l"),
        ("\x1b[?1048;1047h", "\x1b[?1047;1048l"),
        ("\x1b[?1;1049h", "\x1b[?1049;1l"),
        ("\x1b[?1049h\x1b[?1049h", "\x1b[?1049l"),
    ],
)
def test_a_full_screen_program_leaves_the_main_screen_as_it_was(enter: str, leave: str) -> None:
    inside = looked(MAIN, enter, FULL)
    assert inside.alternate
    assert inside.lines[0] == "status"
    assert "three" not in str(inside.lines)
    after = looked(MAIN, enter, FULL, leave, "\x1b[?25h", "ee")
    assert after == looked(MAIN, "ee")


@pytest.mark.parametrize("cut", range(1, 9))
def test_sequences_that_come_apart_change_nothing(cut: int) -> None:
    text = MAIN + "\x1b[?1049h\x1b[22;0;0t" + FULL + "\x1b[?1049l\x1b[23;0;0t\x1b[?25h" + "ee"
    assert looked(*(text[at : at + cut] for at in range(0, len(text), cut))) == looked(MAIN, "ee")


def test_without_a_saved_cursor_it_stays_where_it_is() -> None:
    assert shown("ab\x1b[?47h\r\ncd\x1b[?47lx")[:2] == ["ab", "  x"]
    assert shown("ab\r\ncd\x1b[?1049lx")[:2] == ["ab", "cdx"]


def test_the_alternate_screen_is_empty_each_time() -> None:
    assert shown("\x1b[?1049hjunk\x1b[?1049l\x1b[?1049h") == [""] * 5


def test_each_screen_has_a_saved_cursor_of_its_own() -> None:
    assert shown("ab\x1b7\x1b[?47h\x1b[3;3H\x1b7\x1b[?47l\x1b8c")[0] == "abc"


def test_margins_of_one_screen_do_not_reach_the_other() -> None:
    assert shown("\x1b[?1049h\x1b[2;3r\x1b[?1049l", "\r\n".join("abcdef")) == list("bcdef")
    assert shown("\x1b[2;3r\x1b[?1049h\x1b[H", "\r\n".join("abcdef")) == list("bcdef")
    kept = shown("\x1b[2;3r\x1b[?1049h\x1b[r\x1b[?1049l\x1b[3;1H", "x\r\ny\r\nz")
    assert kept == ["", "y", "z", "", ""]


def test_both_screens_are_resized() -> None:
    screen = Screen(20, 5)
    screen.feed(MAIN + "\x1b[?1049h" + "long line here" + "\x1b[5;1Hbottom")
    screen.resize(8, 2)
    assert screen.lines == ["", "bottom"]
    screen.resize(30, 6)
    screen.feed("\x1b[?1049lee\x1b[3;25Hwide")
    assert screen.lines == ["two", "three", " " * 24 + "wide", "", "", ""]


def test_shrinking_drops_what_is_below_the_cursor_before_what_is_above() -> None:
    screen = Screen(10, 5)
    screen.feed("a\r\nb")
    screen.resize(10, 2)
    assert screen.lines == ["a", "b"]
    screen.feed("\r\nc")
    screen.resize(10, 1)
    assert screen.lines == ["c"]
    screen.resize(10, 3)
    screen.feed("!")
    assert screen.lines == ["c!", "", ""]


def test_a_reset_ends_everything() -> None:
    assert looked(MAIN, "\x1b[?1049h", FULL, "\x1b[?1h\x1b[?2004h\x1b]0;t\x07\x1bc") == looked("")


def test_a_soft_reset_keeps_what_is_shown() -> None:
    assert shown("ab\x1b[4h\x1b[!p\rx")[0] == "xb"
    assert shown("\x1b[2;3r\x1b[?25l\x1b[!p", "\r\n".join("abcdef")) == list("bcdef")


def test_regions_scroll_and_leave_the_rest() -> None:
    filled = "\r\n".join("abcde")
    assert shown(filled, "\x1b[2;4r\x1b[4;1H\n") == ["a", "c", "d", "", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[2;1H\x1bM") == ["a", "", "b", "c", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[S") == ["a", "c", "d", "", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[2T") == ["a", "", "", "b", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[3;1H\x1b[L") == ["a", "b", "", "c", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[2;1H\x1b[2M") == ["a", "d", "", "", "e"]
    assert shown(filled, "\x1b[2;4r\x1b[5;1H\n!") == ["a", "b", "c", "d", "!"]
    assert shown(filled, "\x1b[9999L") == ["a", "b", "c", "d", ""]


def test_rows_that_nobody_wrote_move_like_others() -> None:
    assert shown("top\x1b[5;1Hlast\x1b[1;1H\x1b[M") == ["", "", "", "last", ""]


def test_characters_are_inserted_deleted_and_erased() -> None:
    assert shown("abcdef\x1b[3G\x1b[2@")[0] == "ab  cdef"
    assert shown("abcdef\x1b[3G\x1b[2P")[0] == "abef"
    assert shown("abcdef\x1b[3G\x1b[2X")[0] == "ab  ef"
    assert shown("abcdef\x1b[3G\x1b[4hXY\x1b[4lZ")[0] == "abXYZdef"
    assert shown("abcdef\x1b[3G\x1b[1K")[0] == "   def"
    assert shown("abcdef\x1b[3G\x1b[2K")[0] == ""
    assert shown("a\r\nb\r\nc\x1b[2;1H\x1b[1J") == ["", "", "c", "", ""]
    assert shown("a\r\nb\r\nc\x1b[2;1H\x1b[J") == ["a", "", "", "", ""]
    assert shown("ab\x1bEc\x1bDd")[:3] == ["ab", "c", " d"]
    assert shown("x" * 20 + "\x1b[1G\x1b[3@", cols=20)[:2] == ["   " + "x" * 17, ""]


def test_origin_mode_counts_from_the_margins() -> None:
    assert shown("\x1b[?6h\x1b[2da")[1] == "a"
    assert shown("\x1b[2;4r\x1b[?6h\x1b[2;1Hb\x1b[1dc") == ["", " c", "b", "", ""]


def test_the_last_character_is_repeated_and_lines_are_drawn() -> None:
    assert shown("-\x1b[4b|")[0] == "-----|"
    assert shown("\x1b(0lqqk\x1b(Bq")[0] == "┌──┐q"
    assert shown("\x1b)0\x0elqk\x0fq")[0] == "┌─┐q"
    assert shown("\x0eq")[0] == "q"


def test_tabs_go_both_ways() -> None:
    assert shown("\ta\x1b[Zb\x1b[2Ic")[0] == "        b" + " " * 10 + "c"
    assert shown("\x1b[3g\x1b[5G\x1bH\r\tx")[0] == "    x"


def test_wide_characters_wrap_whole_and_are_overwritten_whole() -> None:
    assert shown("abc漢", cols=4)[:2] == ["abc", "漢"]
    assert shown("漢字\x1b[1;2Hx")[0] == " x字"
    assert shown("漢字\x1b[1;1Hx")[0] == "x 字"
    assert shown("漢字\x1b[1;3H\x1b[K")[0] == "漢"
    assert shown("漢", cols=1)[0] == ""
    assert shown("か\u3099x")[0] == "がx"


def test_no_automatic_wrap_where_it_is_switched_off() -> None:
    assert shown("\x1b[?7labcdef", cols=4)[:2] == ["abcf", ""]


def test_what_is_around_the_text_is_told() -> None:
    look = looked("\x1b]2;my title\x1b\\a\x07\x07b\x1b[?25l")
    assert (look.title, look.bells, look.cursor_visible, look.row, look.column) == ("my title", 2, False, 0, 2)
    assert looked("\x1b]0;" + "x" * 3000 + "\x07").title == "x" * 200
    assert looked("\x1b]0;a\nb\x9bc\x07").title == "abc"


def test_modes_that_concern_typing_are_known() -> None:
    screen = Screen(20, 5)
    assert not screen.application_cursor
    assert not screen.bracketed_paste
    screen.feed("\x1b[?1;2004h")
    assert screen.application_cursor
    assert screen.bracketed_paste
    screen.feed("\x1b[32l\x1b[?2004l")
    assert screen.application_cursor
    assert not screen.bracketed_paste


def test_what_is_skipped_leaves_its_modes() -> None:
    screen = Screen(20, 5)
    screen.feed("kept")
    screen.skip("not drawn\x07\x1b[?1049h\x1b[?1h\x1b]0;title\x07 nor this\r\n" * 2 + "\x1b[?2004")
    screen.feed("hin alternate")
    look = screen.look
    assert look.lines[0].strip() == "in alternate"
    assert (look.alternate, look.title, look.bells) == (True, "title", 2)
    assert screen.application_cursor
    assert screen.bracketed_paste
    screen.feed("\x1b[?1049l")
    assert screen.lines[0] == "kept"


def test_an_endless_string_is_swallowed_to_its_end() -> None:
    screen = Screen(20, 5)
    screen.feed("a\x1b]52;c;")
    for _ in range(50):
        screen.feed("QUJD" * 1000)
    screen.feed("\x1b\\b\x1bPq" + "#1~~" * 5000)
    screen.feed("~~\x1b")
    screen.feed("\\c")
    assert screen.lines[0] == "abc"


ALPHABET = "\x1b\x1b\x1b[[]P?;;0123456789ABCDEFGHIJKLMPSTXZ@`abdefghlmrsu!p \n\r\t\b\v\x0e\x0f\x9b\x07\\漢\u0301\u200d²$>=<#%()78c"
PIECES = st.one_of(
    st.text(alphabet=ALPHABET, max_size=60),
    st.text(max_size=30),
    st.builds(
        "\x1b[{}{};{}{}".format,
        st.sampled_from(["", "?"]),
        st.integers(0, 99_999),
        st.sampled_from(["", 1, 6, 7, 25, 47, 1047, 1048, 1049, 9999]),
        st.sampled_from("ABCDEFGHIJKLMPSTXZ@`abdefghlmrsu"),
    ),
    st.sampled_from(["\x1b[?1049h", "\x1b[?1049l", "\x1b[?6h", "\x1b[2;3r", "\x1b7", "\x1b8", "\x1bc", "\x1b[4h"]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25), st.integers(1, 60), st.integers(1, 30))
def test_nothing_breaks_it(pieces: list[str], cols: int, rows: int) -> None:
    screen = Screen(20, 5)
    for at, piece in enumerate(pieces):
        if at % 5 == 4:
            screen.resize(*((cols, rows) if at % 2 else (20, 5)))
        (screen.skip if at % 7 == 6 else screen.feed)(piece)
    screen.resize(cols, rows)
    look = screen.look
    assert len(look.lines) == rows
    assert 0 <= look.row < rows
    assert 0 <= look.column <= cols
    assert not any(ord(character) < 32 for line in look.lines for character in line)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12), st.integers(1, 9))
@example(["\x1b]", "\x1b[@"], 1)
@example(["a", "\x1bP", "\x1b[2C", "b"], 1)
def test_how_it_comes_apart_makes_no_difference(pieces: list[str], cut: int) -> None:
    text = "".join(pieces)
    assert looked(text) == looked(*(text[at : at + cut] for at in range(0, len(text), cut)))


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_the_main_screen_outlasts_whatever_is_done_in_the_other(pieces: list[str]) -> None:
    inside = "".join(pieces)
    for ends in ("\x1bc", "47", "104"):
        if ends in inside:
            return
    before = looked(MAIN)
    after = looked(MAIN, "\x1b[?1049h", inside + "\x07\x1b\\", "\x1b[?1049l")
    assert (after.lines, after.row, after.column) == (before.lines, before.row, before.column)


@pytest.mark.parametrize(
    "sequence",
    ["\x1b7", "\x1b[?1049h\x1b[?1048h", "\x1b[?{}h", "\x1b]0;{}title\x07", "a\u0301\b", "\x1bH\t", "\x1b[999b", "\x1b[?1049h\x1b[?1049l", "\x1b]{}", "\x1b[{}"],
)  # fmt: skip
def test_nothing_makes_it_grow(sequence: str) -> None:
    screen = Screen(20, 5)
    screen.feed("".join(sequence.format(number) for number in range(1000)))
    tracemalloc.start()
    try:
        screen.feed("".join(sequence.format(number) for number in range(1000, 4000)))
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()
