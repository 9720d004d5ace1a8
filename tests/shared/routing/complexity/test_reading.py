"""Tokens of a text, and how many of them at most."""

import pytest

from shared.routing.complexity.reading import HEAD, MAX_TOKENS, TAIL, clipped, read


def test_words_numbers_and_marks_are_tokens() -> None:
    reading = read("Sum x_1 + 42, naïve Größe!")
    assert reading.tokens == ("Sum", "x", "_", "1", "+", "42", ",", "naïve", "Größe", "!")
    assert reading.words == ("sum", "x", "_", "1", "+", "42", ",", "naïve", "größe", "!")


def test_characters_of_a_script_without_spaces_are_read_in_pairs() -> None:
    assert read("用Go设计API").words == ("用", "go", "设计", "计", "api")
    assert read("分散レート").words == ("分散", "散レ", "レー", "ート", "ト")


@pytest.mark.parametrize(
    "text", ["a b " * 250_000, "!?" * 500_000, "设计" * 500_000, "1 " * 500_000, "\ud800" * 1_000_000]
)
def test_the_work_is_bounded(text: str) -> None:
    reading = read(text)
    assert len(reading.text) <= HEAD + TAIL + 1
    assert len(reading.words) == len(reading.tokens) <= MAX_TOKENS + 1


def test_the_last_tokens_are_read_too() -> None:
    reading = read("a b " * 100_000 + "prove it")
    assert reading.words[:2] == ("a", "b")
    assert reading.words[-2:] == ("prove", "it")


@pytest.mark.parametrize("length", [0, HEAD, HEAD + TAIL + 1])
def test_a_short_text_is_left_whole(length: int) -> None:
    assert clipped("x" * length) == "x" * length
    assert clipped(clipped("x" * 10_000)) == clipped("x" * 10_000)
