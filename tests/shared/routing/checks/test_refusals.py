"""Refusals in words."""

import pytest

from shared.routing.checks.refusals import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that request.",
        "I\u2019m sorry, but I can\u2019t help with that. Is there anything else?",
        "Sorry, I cannot provide that information.",
        "I apologize, but I am unable to answer this.",
        "I cannot help with this.",
        "As an AI language model, I cannot write that.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Lo siento, pero no puedo ayudar con eso.",
    ],
)
def test_an_apology_without_an_answer_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that. Rest, and drink enough.",
        "Sorry for the confusion: the answer is 42.",
        "I can't find the file config.yml. Which one do you mean?",
        "I can't help but notice that the loop never ends.",
        "Unfortunately the train was late.",
        "I'm sorry, but I can't help with that. " + "Still, this is what is known. " * 30,
        "",
    ],
)
def test_other_texts_are_not(text: str) -> None:
    assert not is_refusal(text)
