"""When two answers say the same."""

import pytest

from shared.routing.checks.likeness import alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("42", "The answer is 42."),
        ("So the total is 1,234.50 dollars.", "1234.5"),
        ("Half of it: \\boxed{7}", "We get 7 + 0 = 7, so #### 7"),
        ("B", "(b)"),
        ("The correct answer is (C).", "Answer: C"),
        ("Yes.", "yes, it is"),
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
        ("Yes.", "No, it is not"),
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
