"""Whom a failure rules out: too small a window, or a provider whose rules refuse it."""

from shared.routing.ruled_out import RuledOut
from tests.support.decisions import a_model


def test_nobody_is_ruled_out_at_first_nor_by_a_failure_of_the_model_itself() -> None:
    out = RuledOut()
    out.add(a_model("a", context_window=10), "any")
    out.add(a_model("a", context_window=10), "nobody")
    assert a_model("a", context_window=10) not in out


def test_a_window_that_was_too_small_rules_out_those_that_are_no_bigger() -> None:
    out = RuledOut()
    for window in (1000, 500, None):
        out.add(a_model("a", context_window=window), "bigger")
    assert [a_model("b", context_window=window) in out for window in (999, 1000, 1001, None)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_refusal_rules_out_everything_of_that_provider() -> None:
    out = RuledOut()
    out.add(a_model("a", provider="strict"), "elsewhere")
    assert a_model("b", provider="strict") in out
    assert a_model("a", provider="openai") not in out
