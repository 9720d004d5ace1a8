"""An answer as `mcp-gateway chat` tells of it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mcp_gateway.calls.offer import CODE, Offer
from mcp_gateway.calls.reply import Reply
from mcp_gateway.commands.told import Told, told, told_of
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.errors import Conflict
from shared.routing.answers import Route

CHEAP = Model(id="openai/cheap", provider="openai", api_model_name="cheap", layer="L1")
BETTER = Model(id="openai/better", provider="openai", api_model_name="better", layer="L2")


def offer(**more: Any) -> Offer:
    details = {
        "reason": "truncated",
        "answer": "so far",
        "model": CHEAP.id,
        "nextModel": BETTER.id,
        "nextLayer": "L2",
        "costUsd": 0.5,
        "spentUsd": 0.001,
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
    return Offer.of(Conflict("Ask first.", details={**details, **more}, code=CODE))


def better(cost: str | None, instead: Offer | None) -> Told:
    route = Route(BETTER, 1, None if cost is None else Decimal(cost))
    return told(Reply(), route, request_id="r-1", seconds=0.25, instead=instead)


def test_the_answer_that_is_kept_has_its_model_tokens_and_cost() -> None:
    kept = told_of(offer(), CHEAP, request_id="r-1", seconds=0.25)
    assert kept.footer == "— cheap (openai) · L1 · 3+4 tokens · $0.001 · 0.2 s · cut at its longest length"
    assert (kept.facts["text"], kept.facts["requestId"], kept.facts["durationMs"]) == ("so far", "r-1", 250)
    assert kept.facts["usage"]["total_tokens"] == 7


def test_tokens_that_nobody_told_are_not_made_up() -> None:
    kept = told_of(offer(usage=None, reason="refused"), CHEAP, request_id="r-1", seconds=0)
    assert kept.footer == "— cheap (openai) · L1 · tokens not counted · $0.001 · 0.0 s"
    assert (kept.facts["usage"], kept.facts["finishReason"]) == (None, None)


def test_the_answer_that_was_agreed_to_costs_what_both_cost() -> None:
    found = better("0.011", offer())
    assert found.cost == Decimal("0.012")
    assert "· $0.012 ·" in found.footer
    assert "— went up: truncated: openai/cheap → openai/better\n— beside the answer this cost $0.001" in found.footer
    assert found.facts["checks"]["steps"] == ["truncated: openai/cheap → openai/better"]


@pytest.mark.parametrize("instead", [None, offer()])
def test_a_cost_that_is_not_known_stays_so(instead: Offer | None) -> None:
    found = better(None, instead)
    assert (found.cost, found.facts["costUsd"]) == (None, None)
    assert "cost not known" in found.footer


def test_several_calls_are_counted() -> None:
    found = replace(better("0.011", None), attempts=3, usage=Usage(prompt=1, completion=2))
    assert found.footer == "— better (openai) · L2 · 1+2 tokens · $0.011 · 0.2 s · 3 calls"
