"""Only what the terminal shows of what is typed may be recorded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.recording_typed import ECHO_SECONDS, TypedLines

WORD = st.text(alphabet="abcdefgh0123", min_size=8, max_size=20)


def test_a_line_that_is_echoed_is_recorded() -> None:
    lines = TypedLines()
    assert lines.shown("$ ", now=0) == []
    assert lines.typed("echo hi\n", hidden=False, now=1) == ""
    assert lines.shown("\x1b[1mecho\x1b[0m hi\r\nhi\r\n$ ", now=1.1) == ["echo hi\n"]


def test_a_line_typed_key_by_key_is_recorded_once_it_is_whole() -> None:
    lines, recorded = TypedLines(), []
    for key in "make":
        assert lines.typed(key, hidden=False, now=0) == ""
        recorded += lines.shown(key, now=0)
    assert recorded == []
    lines.typed("\r", hidden=False, now=0)
    assert lines.shown("\r\n", now=0) == ["make\r"]


def test_a_line_that_is_not_echoed_is_forgotten() -> None:
    lines = TypedLines()
    lines.typed("tr0ub4dor\n", hidden=False, now=0)
    assert lines.shown("\r\nWelcome\r\n", now=0) == []
    assert lines.shown("tr0ub4dor\r\n", now=ECHO_SECONDS + 1) == []


@given(WORD, st.lists(st.integers(1, 5), max_size=8))
def test_what_is_hidden_is_not_recorded_even_when_it_shows_up(word: str, cuts: list[int]) -> None:
    lines, at = TypedLines(), 0
    for size in (*cuts, len(word) + 1):
        piece = f"{word}\n"[at : at + size]
        assert not piece or lines.typed(piece, hidden=True, now=0) in ("",)
        at += size
    assert lines.shown(f"{word}\r\n", now=0) == []


@pytest.mark.parametrize(
    "prompt",
    ["Password: ", "[sudo] password for me: ", "Enter passphrase for key 'id': ", "\x1b[1mPIN:\x1b[0m ", "Token > "],
)
def test_the_answer_to_a_prompt_for_a_secret_is_never_recorded(prompt: str) -> None:
    lines = TypedLines()
    lines.shown(f"login\r\n{prompt}", now=0)
    lines.typed("tr0ub4dor\n", hidden=False, now=0)
    assert lines.shown("tr0ub4dor\r\n$ ", now=0) == []
    lines.typed("ls -la\n", hidden=False, now=0)
    assert lines.shown("ls -la\r\n", now=0) == ["ls -la\n"]


def test_keys_alone_are_recorded_unless_hidden() -> None:
    lines = TypedLines()
    assert lines.typed("\x03", hidden=False, now=0) == "\x03"
    assert lines.typed("\r", hidden=True, now=0) == ""
    lines.typed("tr0ub", hidden=False, now=0)
    assert lines.typed("\x03", hidden=False, now=0) == "\x03"
    lines.typed("ls -la\n", hidden=False, now=0)
    assert lines.shown("ls -la\r\n", now=0) == ["ls -la\n"]


def test_what_waits_is_bounded() -> None:
    lines = TypedLines()
    for _ in range(100):
        lines.typed("x" * 100_000 + "\n", hidden=False, now=0)
        lines.shown("y" * 100_000, now=0)
    assert lines.shown("x" * 100_000, now=0) == []
