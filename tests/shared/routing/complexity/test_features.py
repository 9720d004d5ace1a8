"""What the lexical features say of a text."""

import pytest

from shared.routing.complexity.features import NAMES, lexical
from shared.routing.complexity.lexicon import index
from shared.routing.complexity.reading import read


def of(text: str) -> dict[str, float]:
    return dict(zip(NAMES, lexical(read(text), index()), strict=True))


def test_every_feature_has_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES) <= 255
    assert of("").keys() == of("some text").keys()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Is it raining?", "ends_asking"),
        ("为什么\uff1f", "ends_asking"),
        ("Which one?\nA. one\nB. two\nAnswer:", "ends_answer"),
        ("Which one?\nA. one\nB. two", "options"),
        ("- one\n- two", "bullets"),
        ("def f(x):\n    return x", "indented"),
        ("call my_function() now", "identifiers"),
        (r"Let $\frac{x}{2} = 3$", "formulas"),
        ("```\nx\n```", "fenced"),
        ("Fill in the ____ here", "blank"),
        ("设计", "no_spaces_script"),
        ("Привет", "cyrillic"),
        ("مرحبا", "other_script"),
        ("été", "accented"),
        ("7 of 12", "numbers"),
        ("WARNING", "shouted"),
        ("Prove it", "first_asks_proof"),
        ("设计系统", "has_asks_design"),
        ("Докажи это", "has_asks_proof"),
    ],
)
def test_a_feature_is_there_when_the_text_has_it(text: str, name: str) -> None:
    assert of(text)[name] > 0
    assert of("plain words only")[name] == 0


def test_only_the_first_words_count_as_leading() -> None:
    assert of("please kindly now then prove it")["first_asks_proof"] == 0
    assert of("please kindly now then prove it")["has_asks_proof"] > 0


def test_of_more_of_the_same_no_feature_grows_without_bound() -> None:
    grown = [name for name, value in of("Prove that f(x) = x_1 + 2, or not? " * 100_000).items() if not 0 <= value < 50]
    assert grown == []
