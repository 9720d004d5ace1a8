"""Control sequences and the text without them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.sequences import MAX_UNFINISHED, TOKEN, plain, shortened, split_unfinished


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("\x1b[31mred\x1b[0m and\x1b]0;title\x07 plain", "red and plain"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("one\r\ntwo\r\r\n\x1b[?2004l\rthree", "one\ntwo\nthree"),
        ("10%\r20%\tdone\x07\x08\x00", "10%\r20%\tdone"),
        ("\x1bPq#0;1;1\x1b\\\x1b(B\x1b7x\x1b[?25h", "x"),
        ("a\x9bb\x85c", "abc"),
        ("never ends \x1b]0;title", "never ends "),
    ],
)
def test_text_is_left_without_sequences(written: str, text: str) -> None:
    assert plain(written) == text


@pytest.mark.parametrize("unfinished", ["\x1b", "\x1b[", "\x1b[3", "\x1b[?10;2", "\x1b]0;ti", "\x1b]0;t\x1b", "\x1b("])
def test_a_sequence_that_is_not_whole_is_set_apart(unfinished: str) -> None:
    assert split_unfinished(f"a\x1b[1mb{unfinished}") == ("a\x1b[1mb", unfinished)
    assert split_unfinished("a\x1b[1mb") == ("a\x1b[1mb", "")


def test_an_endless_sequence_is_remembered_by_its_kind() -> None:
    assert shortened("\x1b[3") == "\x1b[3"
    assert shortened("\x1b]" + "x" * MAX_UNFINISHED) == "\x1b_"
    assert shortened("\x1bP" + "x" * MAX_UNFINISHED + "\x1b") == "\x1b_\x1b"
    assert shortened("\x1b[" + "1" * MAX_UNFINISHED) == ""


@given(st.text(alphabet="\x1b[]P?;013Hm\x07\\\r\n(a漢\x9b"))
def test_tokens_are_all_of_the_text(text: str) -> None:
    assert "".join(token.group() for token in TOKEN.finditer(text)) == text


@given(st.text(alphabet="\x1b[]P?;013Hm\x07\\\r\n(a漢\x9b"))
def test_no_control_is_left(text: str) -> None:
    assert not any(ord(character) < 32 and character not in "\t\r\n" for character in plain(text))


@pytest.mark.parametrize("run", ["\r", "\x1b", "\x1b[", "\x1b]", "\x1b[1", "\x1b(", "\x1b]\x1b", "\n\r", "\x1bP\x07"])
def test_no_text_takes_more_than_its_length(run: str) -> None:
    """With a time that grows with the square of it, this would last for hours."""
    text = run * 500_000
    assert len(plain(text)) <= len(text)
    assert sum(split_unfinished(text) != ("", "") for _ in range(2)) == 2
    assert sum(1 for _ in TOKEN.finditer(text)) > 0
