"""The tool `usage`."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mcp_gateway.arguments import UsageArguments
from mcp_gateway.calls.usage import payload_of
from shared.domain.budgets import NewBudget
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of


@pytest.mark.parametrize("era", ERAS)
async def test_it_tells_what_was_spent_on_what_and_what_is_left(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted-n1")
    await add(gateway, "scripted-n50", layer="L1")
    await gateway.budgets.add(NewBudget(limit_usd=Decimal(9), period="month"))
    async with client_of(gateway, mode=era) as client:
        for model in ("openai:scripted-n1", "openai:scripted-n50", "openai:scripted-n50"):
            facts_of(await client.call_tool("chat", {"message": "hi", "model": model}))
        result = await client.call_tool("usage", {})
        short = facts_of(await client.call_tool("usage", {"limit": 1}))
        layer = facts_of(await client.call_tool("usage", {"groupBy": "layer", "layer": "L0"}))
    facts = facts_of(result)
    assert [(group["group"], group["requests"]) for group in facts["groups"]] == [
        ("openai:scripted-n50", 2),
        ("openai:scripted-n1", 1),
    ]
    assert facts["total"]["requests"] == 3
    assert facts["total"]["costUsd"] == pytest.approx(sum(group["costUsd"] for group in facts["groups"]))
    (budget,) = facts["budgets"]
    assert budget["leftUsd"] == pytest.approx(9 - facts["total"]["costUsd"])
    assert text_of(result).splitlines()[1].startswith("openai:scripted-n50: 2 requests, ")
    assert "budget of everybody (month): $" in text_of(result)
    assert ([group["group"] for group in short["groups"]], short["more"]) == (["openai:scripted-n50"], 1)
    assert [group["group"] for group in layer["groups"]] == ["L0"]


def test_days_are_whole_and_include_today() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert payload_of(UsageArguments(), now) == {"from": "2026-03-01", "groupBy": "model"}
    asked = UsageArguments(days=7, group_by="day", model="m", layer="L1")
    assert payload_of(asked, now) == {"from": "2026-02-23", "groupBy": "day", "model": "m", "layer": "L1"}
