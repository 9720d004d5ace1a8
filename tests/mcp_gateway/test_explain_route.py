"""The tool `explain_route`."""

import pytest

from shared.gateway import Gateway
from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of


@pytest.mark.parametrize("era", ERAS)
async def test_it_tells_the_plan_without_asking_anyone(gateway: Gateway, scripted: ScriptedServer, era: str) -> None:
    await add(gateway, "scripted-a")
    await add(gateway, "scripted-b", layer="L1", price_per_1k_input_tokens=None, price_per_1k_output_tokens=None)
    await add(gateway, "scripted-c", enabled=False)
    before = scripted.requests
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("explain_route", {"message": "hi", "maxLayer": "L1", "maxTokens": 100})
    facts = facts_of(result)
    assert scripted.requests == before
    assert [entry["id"] for entry in facts["attempts"]] == ["openai:scripted-a", "openai:scripted-b"]
    assert facts["attempts"][0]["mostCostUsd"] > facts["attempts"][0]["expectedCostUsd"] > 0
    assert facts["attempts"][1]["expectedCostUsd"] is None
    assert {"id": "openai:scripted-c", "layer": "L0", "reason": "the model is turned off"} in facts["dropped"]
    assert (facts["firstChoice"], facts["highestLayer"], facts["more"]) == ("openai:scripted-a", "L1", 0)
    text = text_of(result)
    assert text.startswith("openai:scripted-a in L0 would be asked first")
    assert "\n1. L0 openai:scripted-a ($0.201, at most $" in text
    assert "\n2. L1 openai:scripted-b (cost not known)" in text
    assert "\nnot L0 openai:scripted-c: the model is turned off" in text


async def test_long_lists_are_cut_and_say_so(gateway: Gateway) -> None:
    for number in range(50):
        await add(gateway, f"scripted-m{number:02}", priority=number, enabled=number % 2 == 0)
    async with client_of(gateway) as client:
        result = await client.call_tool("explain_route", {"message": "hi"})
    facts = facts_of(result)
    assert (len(facts["attempts"]), len(facts["dropped"])) == (20, 20)
    assert facts["more"] >= 10
    assert text_of(result).endswith(f"… and {facts['more']} more.")


async def test_an_unknown_model_is_answered_with_the_nearest(gateway: Gateway) -> None:
    await add(gateway, "scripted-one")
    async with client_of(gateway) as client:
        text = text_of(await client.call_tool("explain_route", {"message": "hi", "model": "scripted-onee"}))
    assert "scripted-one" in text
    assert "(code: model_not_found)" in text


async def test_nobody_to_ask_is_an_answer_too(gateway: Gateway) -> None:
    async with client_of(gateway) as client:
        facts = facts_of(await client.call_tool("explain_route", {"message": "hi", "model": "L3"}))
    assert facts["firstChoice"] is None
    assert facts["summary"].startswith("Nobody would be asked: No model is available for 'L3'")
