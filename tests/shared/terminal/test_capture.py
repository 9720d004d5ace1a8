"""The output of one command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.capture import Capture


def test_a_short_output_is_kept_whole() -> None:
    capture = Capture(100)
    capture.feed("é".encode()[:1])
    capture.feed("é".encode()[1:])
    assert capture.text() == "é"
    assert not capture.truncated


def test_exactly_the_limit_is_not_cut() -> None:
    capture = Capture(101)
    capture.feed(b"x" * 101)
    assert capture.text() == "x" * 101
    assert not capture.truncated
    capture.feed(b"y")
    assert capture.truncated


def test_a_long_output_keeps_its_beginning_and_its_end() -> None:
    capture = Capture(20)
    for number in range(1000):
        capture.feed(f"{number},".encode())
    assert capture.truncated
    assert capture.total == 3890
    assert capture.text() == "0,1,2,3,4,\n[... 3870 bytes left out ...]\n7,998,999,"


@pytest.mark.parametrize("character", ["é", "漢", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_no_character_is_cut_in_two(character: str, shift: int) -> None:
    capture = Capture(21)
    capture.feed(b"x" * shift + character.encode() * 50)
    text = capture.text()
    assert "\ufffd" not in text
    head, _, tail = text.split("\n")
    assert set(head) <= {"x", character}
    assert set(tail) == {character}
    kept = len(head.encode()) + len(tail.encode())
    assert f"[... {capture.total - kept} bytes left out ...]" in text


@given(st.lists(st.binary(max_size=200), max_size=40), st.integers(1, 500))
def test_it_never_keeps_more_than_twice_its_limit(pieces: list[bytes], limit: int) -> None:
    capture = Capture(limit)
    for piece in pieces:
        capture.feed(piece)
    whole = b"".join(pieces)
    assert capture.total == len(whole)
    assert capture.truncated == (len(whole) > limit)
    assert len(capture._head) + len(capture._tail) <= limit + limit // 2 + 1
    if not capture.truncated:
        assert capture.text() == whole.decode(errors="replace")


def test_a_listener_hears_whole_characters() -> None:
    heard: list[str] = []
    capture = Capture(10, heard.append)
    for byte in "a漢b".encode():
        capture.feed(bytes([byte]))
    assert heard == ["a", "漢", "b"]
