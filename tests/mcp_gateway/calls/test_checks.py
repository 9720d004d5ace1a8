"""What the `gateway` object of an answer says, in brief."""

from decimal import Decimal
from typing import Any

import pytest

from mcp_gateway.calls.checks import after_a_step, checks_of

STEPS = [{"reason": "refused", "from": "a", "to": "b"}, {"reason": "empty", "from": "b"}]
NOTES: dict[str, Any] = {
    "agreement": {"agreed": False, "models": ["a", "b"]},
    "selfCheck": {"verdict": "confirmed", "addedCostUsd": 0.1},
    "crossCheck": {
        "verdict": "disputed",
        "issues": ["wrong sum"],
        "reason": "nobody knows",
        "addedCostUsd": 0.2,
        "models": {"answered": "b", "reviewed": "c", "arbitrated": "d"},
    },
    "escalation": {"steps": STEPS, "ended": "no higher layer is allowed or available"},
    "costUsd": 0.5,
    "answerCostUsd": 0.2,
}


def test_an_answer_without_notes_has_no_checks() -> None:
    assert checks_of({}) is None


def test_all_of_it_is_picked_out_and_the_cross_check_comes_first() -> None:
    found = checks_of(NOTES)
    assert found is not None
    assert (found.verdict, found.issues, found.why) == ("disputed", ["wrong sum"], "nobody knows")
    assert (found.reviewer, found.arbitrator) == ("c", "d")
    assert found.agreed is False
    assert found.steps == ["refused: a → b"]
    assert found.ended == "the answer of b was empty; no higher layer is allowed or available"
    assert found.added_cost_usd == Decimal("0.3")


@pytest.mark.parametrize(("total", "own"), [(None, 0.1), (0.1, None), ("x", 0.1)])
def test_an_added_cost_that_is_not_known_is_not_made_up(total: Any, own: Any) -> None:
    found = checks_of({"costUsd": total, "answerCostUsd": own})
    assert found is not None
    assert found.added_cost_usd is None


def test_it_never_costs_less_than_nothing() -> None:
    found = checks_of({"costUsd": 0.1, "answerCostUsd": 0.2})
    assert found is not None
    assert found.added_cost_usd == 0


def test_a_step_that_the_user_agreed_to_comes_before_what_followed() -> None:
    step = {"reason": "refused", "start": "z", "to": "a", "spent": Decimal("0.1")}
    alone = after_a_step(None, **step)
    assert (alone.steps, alone.ended, alone.added_cost_usd) == (["refused: z → a"], "answered", Decimal("0.1"))
    found = after_a_step(checks_of(NOTES), **step)
    assert found.steps == ["refused: z → a", "refused: a → b"]
    assert found.ended == "the answer of b was empty; no higher layer is allowed or available"
    assert (found.verdict, found.added_cost_usd) == ("disputed", Decimal("0.4"))
    assert after_a_step(checks_of({"costUsd": None, "answerCostUsd": 0.2}), **step).added_cost_usd is None
