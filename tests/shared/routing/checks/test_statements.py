"""Short texts by what they state."""

import pytest

from shared.routing.checks.statements import compared, negated, verdict_of


@pytest.mark.parametrize(
    ("text", "found"),
    [("Yes, it is.", True), ("no", False), ("**False**", False), ("No idea.", None), ("Nobody did.", None)],
)
def test_a_verdict_is_the_first_word(text: str, found: bool | None) -> None:
    assert verdict_of(text) is found


@pytest.mark.parametrize(("text", "found"), [("You can't.", True), ("Note it.", False)])
def test_a_denial_is_known_by_its_words(text: str, found: bool) -> None:
    assert negated(text) is found


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("You can\u2019t eat it.", "You can't eat it!", "same"),
        ("You can\u2019t eat it.", "You can eat it.", "different"),
        ("Boil it for 5 minutes.", "Boil it for 10 minutes.", "unclear"),
        ("Berlin", "Berlin or Bonn", "unclear"),
        ("x > 3", "x < 3", "unclear"),
    ],
)
def test_polarity_numbers_names_and_signs_count(one: str, other: str, verdict: str) -> None:
    assert compared(one, other, "") == verdict
    assert compared(other, one, "") == verdict


def test_long_prose_is_not_compared() -> None:
    assert compared("word " * 200, "word " * 199 + "work", "") == "unclear"
