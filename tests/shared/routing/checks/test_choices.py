"""The letter that an answer chooses."""

import pytest

from shared.routing.checks.choices import chosen


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("b", "B"),
        ("(C)", "C"),
        ("The correct answer is **D**.", "D"),
        ("B) 24\n\nThis is so since the cycle has length 5.", "B"),
        ("Weighing all of them, the best choice is option A, since it is cheap.", "A"),
        ("Option C is correct, as the others are too long.", "C"),
        ("A. red\nB. blue\nC. green", None),
        ("The answer is not B.", None),
        ("The answer is a number.", None),
        ("It depends on many things that nobody knows.", None),
    ],
)
def test_the_letter_is_found(text: str, letter: str | None) -> None:
    assert chosen(text) == letter
