"""When two answers come to the same."""

from itertools import permutations

import pytest

from shared.routing.checks.likeness import alike

GLASSES = (
    "Kylar went to buy glasses. One glass costs $5, but every second glass costs only 60% of the price. "
    "Kylar wants to buy 16 glasses. How much does he need to pay for them?"
)
SIXTY_FOUR = [
    "64",
    "### Final Answer\n\n**$64**",
    "Full price: 8 x $5 = $<<8*5=40>>40.\nThe others: $<<8*3=24>>24.\n$40 + $24 = $<<40+24=64>>64.\n#### 64\n",
    "The cost of all is \\$40 + \\$24 = \\$64.\n\nKylar needs to pay $64 for the 16 glasses.",
    "1. Full price: \\(8 \\times 5 = 40\\)\n2. The rest: \\(24\\)\n\n\\[40 + 24 = 64\\]\n\nSo it is \\(\\boxed{64}\\) dollars.",
    "He pays 8 \u00d7 $5 = $40 plus 8 \u00d7 $3 = $24, for a total of $64.00.",
    "**Answer: $64**\n\nHalf of the glasses (8) cost $5, the other half $3.",
    "Kylar will pay $64 in total (8 at $5 and 8 at $3).",
    "The total is $64.\n\nLet me know if you need anything else!",
]
OTHERS = [
    "$60",
    "16 * 5 = 80\n\nKylar needs to pay $80 for the 16 glasses.",
    "**Answer: $72**",
    "He pays 40 + 24.50 = $64.50.",
    "Kylar cannot buy 16 glasses for $64.",
    "He pays $64 thousand.",
]

LOOP = "```python\nfor x in range(len(xs)):\n    print(x)  # each\n```"


@pytest.mark.parametrize(("one", "other"), [*permutations(SIXTY_FOUR, 2)])
def test_prose_with_the_same_result_agrees(one: str, other: str) -> None:
    assert alike(one, other, GLASSES) == "same"


@pytest.mark.parametrize("one", SIXTY_FOUR)
@pytest.mark.parametrize("other", OTHERS)
def test_prose_with_another_result_does_not(one: str, other: str) -> None:
    assert alike(one, other, GLASSES) != "same"
    assert alike(other, one, GLASSES) != "same"


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("", "42", "The answer is 42."),
        ("", "So the total is 1,234.50 dollars.", "1234.5"),
        ("", "After a long way of thinking about it in many words, the answer is: 1,234.50", "1234.5"),
        ("", "Half of it: \\boxed{7}", "We get 7 + 0 = 7, so #### 7"),
        ("", "\\boxed{\\frac{1}{2}}", "The answer is 0.5."),
        ("", "B", "(b)"),
        ("", "The correct answer is (C).", "Answer: C"),
        ("", "B) Because of that.", "The correct answer is **B**."),
        ("", "Yes.", "YES"),
        ("Is it legal?", "Yes, it is legal.", "Yes."),
        ("", "It comes to 42", "42"),
        ("", '{"a": 1, "b": [2]}', '```json\n{"b": [2], "a": 1}\n```'),
        ("", '{"a": 1, "reason": "it is"}', '{"a": 1, "reason": "I counted"}'),
        ("", 'Here:\n```json\n{"a": 1}\n```', '```json\n{ "a": 1 }\n```\nDone.'),
        ("", "Paris", "Paris."),
        ("What is the capital of France?", "Paris", "The capital of France is Paris."),
        ("Who discovered penicillin?", "Penicillin was discovered by Alexander Fleming.", "Alexander Fleming"),
        ("", "The capital of France is Paris", "the capital of France is Paris!"),
        ("", LOOP, "This is it:\n```python\nfor x in range(len(xs)):\n    print(x)\n```\nIt prints each."),
    ],
)
def test_the_same_in_other_words_is_the_same(question: str, one: str, other: str) -> None:
    assert alike(one, other, question) == "same"
    assert alike(other, one, question) == "same"


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("", "42", "43"),
        ("", "The answer is 42.", "I cannot say."),
        ("", "B", "C"),
        ("", "The answer is B.", "The answer is not B."),
        ("", "Yes.", "No"),
        ("", "Yes, it was in 1912.", "Yes, it was in 1987."),
        ("Was it in 1912?", "Yes, it was in 1912.", "Yes, it was in 1987."),
        ("Is it legal?", "Yes, but only in France.", "Yes."),
        ("", "No.", "No idea, I cannot say."),
        (
            "",
            "He had five apples in May and sold them all by the year of 2010",
            "The train from Lyon leaves at half past 10",
        ),
        ("", "1e1000000", "1e1000001"),
        ("", "9" * 5000, "8" * 5000),
        ("", '{"a": 1}', '{"a": 2}'),
        ("", '{"a": true}', '{"a": 1}'),
        ("", '{"reason": "it is"}', '{"reason": "it is"} '),
        ("", 'Here:\n```json\n{"a": 1}\n```', 'Here:\n```json\n{"a": 2}\n```'),
        ("", "Here:\n```text\nred\n```", "Here:\n```text\nblue\n```"),
        ("", "Paris", "Lyon"),
        ("What is the capital of France?", "Paris", "It is Lyon, not Paris."),
        ("", "Lyon beat Paris", "Paris beat Lyon"),
        ("", "The dog bit the man", "The man bit the dog"),
        ("", "", "Paris"),
        ("", "not 5", "-5 is the result of it"),
        (
            "May I?",
            "You can take ibuprofen and aspirin together.",
            "You cannot safely take ibuprofen and aspirin together.",
        ),
        ("", "It's safe to mix these.", "It's unsafe to mix these."),
        ("", "range(len(xs))", "range(len(xs)-1)"),
        ("", "Use `range(len(xs))`.", "Use `range(len(xs)-1)`."),
        ("", LOOP, LOOP.replace("len(xs)", "len(xs)-1")),
        ("", "Set timeout = 30 to fix it.", "Set retries = 30 to fix it."),
        ("How long does it take?", "It takes 2 hours.", "It takes 2 minutes."),
        ("How long does it take?", "It takes 5 million years.", "It takes 5 billion years."),
        ("At what time?", "The answer is 7:30 am", "The answer is 7:30 pm"),
        ("Compute the mean and the median.", "The mean is 5, the median is 4.", "The mean is 6, the median is 4."),
        ("", "The answer is x = 2 or x = 3.", "The answer is x = 1 or x = 3."),
        ("", "\\boxed{x^2+1}", "\\boxed{2x+1}"),
        ("", "The answer is 50 to 60.", "The answer is 40 to 60."),
        ("", "a) 5\nb) 4", "a) 6\nb) 4"),
        ("How much is it?", "No, she cannot pay $30.", "Yes, she can pay $30."),
    ],
)
def test_another_answer_is_another(question: str, one: str, other: str) -> None:
    assert alike(one, other, question) != "same"
    assert alike(other, one, question) != "same"


def test_what_cannot_be_compared_is_no_contradiction_either() -> None:
    assert alike("An essay about the sea.", "Some lines about mountains.") == "unclear"
    assert alike("You can eat it.", "You cannot eat it.") == "different"


def test_long_texts_cost_no_more_than_their_length() -> None:
    for part in ("answer !(", "```a b\n", "1x", "\\boxed{", "{"):
        assert alike(part * 50_000, part * 50_000 + " 7", part * 50_000) in ("same", "different", "unclear")
