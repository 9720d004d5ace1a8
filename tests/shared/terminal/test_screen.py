"""The rendered screen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.terminal.screen import Screen


def shown(text: str, cols: int = 20, rows: int = 4) -> list[str]:
    screen = Screen(cols, rows)
    screen.feed(text)
    return screen.lines


def test_lines_wrap_and_scroll() -> None:
    assert shown("one\r\ntwo\r\nthree\r\nfour\r\n" + "x" * 25) == ["three", "four", "x" * 20, "x" * 5]


def test_the_cursor_moves_and_erases() -> None:
    assert shown("abcdef\x1b[1;3H\x1b[K\x1b[2;2Hxy\x1b[1D!") == ["ab", " x!", "", ""]


def test_the_screen_is_cleared() -> None:
    assert shown("junk\r\njunk\x1b[H\x1b[2J\x1b[3Jok") == ["ok", "", "", ""]


def test_wide_and_combined_characters_keep_their_place() -> None:
    assert shown("漢字e\u0301x") == ["漢字éx", "", "", ""]


def test_joiners_and_variation_selectors_drop_nothing_after_them() -> None:
    assert shown("a\u200db\ufe0fc") == ["abc", "", "", ""]


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]0;a title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1b[>4;2m",
        "\x1b[?2004h",
        "\x1b[<u",
        "\x1b[6n",
        "\x1b[9J",
        "\x1b[7K",
        "\x1b(B",
        "\x1b[38:5:3m",
        "\x9b31m"[:1],
        "\x1b[1;2;3A",
        "\x00\x0e\x0f\x7f",
    ],
)
def test_what_is_not_drawn_leaves_no_trace(sequence: str) -> None:
    assert shown(f"ab{sequence}cd")[0] == "abcd"


@pytest.mark.parametrize("cut", range(1, 12))
def test_sequences_that_come_apart_are_understood(cut: int) -> None:
    text = "a\x1b[31mb\x1b]0;t\x07c\x1b[2;2Hd"
    screen = Screen(20, 4)
    for at in range(0, len(text), cut):
        screen.feed(text[at : at + cut])
    assert screen.lines == ["abc", " d", "", ""]


def test_an_endless_sequence_does_not_grow() -> None:
    screen = Screen(20, 4)
    screen.feed("\x1b]")
    for _ in range(100):
        screen.feed("x" * 1000)
    assert len(screen._carry) < 5000


def test_characters_do_not_pile_up_in_one_cell() -> None:
    assert len(shown("a" + "\u0301" * 100_000)[0]) < 10


def test_resizing_keeps_what_fits() -> None:
    screen = Screen(20, 4)
    screen.feed("hello")
    screen.resize(3, 2)
    assert screen.lines == ["hel", ""]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(
                alphabet="\x1b\x1b[]P?;0123456789ABCDHJKLMPXhlmrnc@ \n\r\t\b\x9b\x07\\a漢\u0301\u200d²$>=<#%()",
                max_size=60,
            ),
            st.text(max_size=30),
        ),
        max_size=12,
    ),
    st.integers(1, 60),
    st.integers(1, 30),
)
def test_nothing_a_program_writes_breaks_it(pieces: list[str], cols: int, rows: int) -> None:
    screen = Screen(20, 4)
    for piece in pieces:
        screen.feed(piece)
    screen.resize(cols, rows)
    for piece in pieces:
        screen.feed(piece)
    lines = screen.lines
    assert len(lines) == rows
    assert not any("\x1b" in line for line in lines)
