"""What the `gateway` object of an answer says, in brief."""

from decimal import Decimal
from typing import Any

import pytest

from mcp_gateway.calls.checks import checks_of

STEPS = [{"reason": "refused", "from": "a", "to": "b"}, {"reason": "empty", "from": "b"}]
NOTES: dict[str, Any] = {
    "agreement": {"agreed": False, "models": ["a", "b"]},
    "selfCheck": {"verdict": "confirmed", "addedCostUsd": 0.1},
    "crossCheck": {"verdict": "disputed", "issues": ["wrong sum"], "reason": "nobody knows", "addedCostUsd": 0.2},
    "escalation": {"steps": STEPS, "ended": "no higher layer is allowed or available"},
    "costUsd": 0.5,
}


def test_an_answer_without_notes_has_no_checks() -> None:
    assert checks_of({}, 0.1) is None


def test_all_of_it_is_picked_out_and_the_cross_check_comes_first() -> None:
    found = checks_of(NOTES, 0.2)
    assert found is not None
    assert (found.verdict, found.issues, found.why) == ("disputed", ["wrong sum"], "nobody knows")
    assert found.agreed is False
    assert found.steps == ["refused: a → b", "empty: b"]
    assert found.ended == "no higher layer is allowed or available"
    assert found.added_cost_usd == Decimal("0.3")


@pytest.mark.parametrize(("total", "own"), [(None, 0.1), (0.1, None), ("x", 0.1)])
def test_an_added_cost_that_is_not_known_is_not_made_up(total: Any, own: Any) -> None:
    found = checks_of({"costUsd": total}, own)
    assert found is not None
    assert found.added_cost_usd is None


def test_it_never_costs_less_than_nothing() -> None:
    found = checks_of({"costUsd": 0.1}, 0.2)
    assert found is not None
    assert found.added_cost_usd == 0
