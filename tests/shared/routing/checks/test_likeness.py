"""When two answers say the same."""

import pytest

from shared.routing.checks.likeness import alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("42", "The answer is 42."),
        ("So the total is 1,234.50 dollars.", "1234.5"),
        ("After a long way of thinking about it in many words, the answer is: 1,234.50", "1234.5"),
        ("Half of it: \\boxed{7}", "We get 7 + 0 = 7, so #### 7"),
        ("B", "(b)"),
        ("The correct answer is (C).", "Answer: C"),
        ("Yes.", "YES"),
        ("It comes to 42", "42"),
        ('{"a": 1, "b": [2]}', '```json\n{"b": [2], "a": 1}\n```'),
        ("Paris", "Paris."),
        ("The capital of France is Paris", "the capital of France is Paris!"),
    ],
)
def test_the_same_in_other_words_is_the_same(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("42", "43"),
        ("The answer is 42.", "I cannot say."),
        ("B", "C"),
        ("Yes.", "No"),
        ("Yes, it was in 1912.", "Yes, it was in 1987."),
        ("No.", "No idea, I cannot say."),
        (
            "He had five apples in May and sold them all by the year of 2010",
            "The train from Lyon leaves at half past 10",
        ),
        ("1e1000000", "1e1000001"),
        ("9" * 5000, "8" * 5000),
        ('{"a": 1}', '{"a": 2}'),
        ("Paris", "Lyon"),
        ("The dog bit the man", "The man bit the dog"),
        ("", "Paris"),
        ("not 5", "-5 is the result of it"),
    ],
)
def test_another_answer_is_another(one: str, other: str) -> None:
    assert not alike(one, other)
    assert not alike(other, one)


def test_long_texts_cost_no_more_than_their_length() -> None:
    long = "answer " + "!(" * 200_000
    assert alike(long, long)
