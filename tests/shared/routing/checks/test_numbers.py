"""The number that a text comes to."""

from decimal import Decimal

import pytest

from shared.routing.checks.numbers import numbers, result_of, shows_working, values


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("He has 16 - 7 = <<16-7=9>>9 eggs.", "9", ""),
        ("First 3 + 4 = 7.\nThen it is $1,234.50 in all.", "1234.5", "dollar"),
        ("He is still 180 - 135 = 45 miles away at the end of those 4 hours.", "45", "mile"),
        ("It falls by -5 degrees.", "-5", ""),
        ("That is 5/2 bolts.", "2.5", ""),
        ("1. The first\n2. The second takes 7 days\n\nThat is it.", "7", "day"),
        ("It takes 3 million years.", "3000000", "year"),
        ("It is **12%** of the 40.", "12", "%"),
        ("It was the 3rd of 8 tries.", "8", ""),
    ],
)
def test_the_result_is_found(text: str, value: str, unit: str) -> None:
    found = result_of(text)
    assert found is not None
    assert (found.number.value, found.number.unit) == (Decimal(value), unit)


def test_numbers_of_the_question_are_seldom_its_answer() -> None:
    text = "Kylar needs to pay $64 for the 16 glasses."
    found = result_of(text, values("16 glasses at $5"))
    assert found is not None
    assert found.number.value == 64


@pytest.mark.parametrize("text", ["", "None at all.", "So it is = 5 * 3 dollars."])
def test_a_text_without_a_result_has_none(text: str) -> None:
    assert result_of(text) is None


def test_numbers_are_bounded() -> None:
    assert numbers("1" * 10_000) == []
    assert [number.value for number in numbers("1e999999 5/0 7")] == [7]


def test_working_is_a_calculation() -> None:
    assert shows_working("He pays 8 * $5 = $40.")
    assert not shows_working("Set timeout = 30.")
