"""The offer of a better answer."""

from decimal import Decimal
from typing import Any

import pytest

from mcp_gateway.calls.offer import CODE, Offer
from shared.errors import Conflict

DETAILS: dict[str, Any] = {
    "reason": "refused",
    "answer": "I will not.",
    "model": "a",
    "nextModel": "b",
    "nextLayer": "L2",
    "costUsd": 0.25,
    "spentUsd": 0.0,
    "somethingNew": 1,
}


def offer(**more: Any) -> Offer:
    return Offer.of(Conflict("Ask first.", details={**DETAILS, **more}, code=CODE))


def test_it_says_what_is_wrong_and_what_better_costs() -> None:
    assert offer().question == "The answer of a was a refusal. Ask b (layer L2) too? That costs up to $0.25."
    assert "an amount that is not known" in offer(costUsd=None).question
    assert "is not good enough" in offer(reason="something_new").question


def test_it_invites_only_where_nobody_was_asked() -> None:
    assert 'call chat again with model "L2"' in offer().invitation
    assert "call" not in offer().refused
    assert "did not agree to ask b, which costs up to $0.25." in offer().refused


def test_another_conflict_stays_one() -> None:
    with pytest.raises(Conflict, match="Something else"):
        Offer.of(Conflict("Something else."))


def test_the_request_for_it_names_its_layer_only_and_has_leave() -> None:
    payload = {
        "model": "L0",
        "messages": [],
        "gateway": {"maxLayer": "L3", "agreement": 2, "quality": "critical", "escalation": "confirm"},
    }
    assert offer().accepted(payload) == {
        "model": "auto",
        "messages": [],
        "gateway": {"minLayer": "L2", "maxLayer": "L2", "escalation": "allow"},
    }
    assert payload["model"] == "L0"


def test_what_was_spent_is_no_longer_in_its_budget() -> None:
    payload = {"gateway": {"budgetUsd": Decimal(1)}}
    assert offer(spentUsd=0.25).accepted(payload)["gateway"]["budgetUsd"] == Decimal("0.75")
    assert offer(spentUsd=1.5).accepted(payload)["gateway"]["budgetUsd"] == 0
