"""The tool `list_models`."""

from typing import Any

import pytest

from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of


async def listed(gateway: Gateway, **arguments: Any) -> dict[str, Any]:
    async with client_of(gateway) as client:
        return facts_of(await client.call_tool("list_models", arguments))


@pytest.mark.parametrize("era", ERAS)
async def test_a_model_is_shown_in_brief(gateway: Gateway, era: str) -> None:
    await add(gateway, "zebra", layer="L1", priority=3, context_window=9000, price_per_1k_output_tokens=None)
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("list_models", {"search": "ZEBRA"})
    assert facts_of(result) == {
        "models": [
            {
                "id": "openai:zebra",
                "model": "zebra",
                "provider": "openai",
                "layer": "L1",
                "available": True,
                "whyNot": "",
                "priority": 3,
                "inputPrice": 1000.0,
                "outputPrice": None,
                "contextWindow": 9000,
                "capabilities": ["general", "code", "tools"],
            }
        ],
        "total": 1,
        "nextCursor": None,
        "aliases": [],
    }
    assert text_of(result).startswith("1 models match.\nL1 openai:zebra (openai; general+code+tools; price not known)")


async def test_aliases_are_on_the_first_page_with_where_they_lead(gateway: Gateway) -> None:
    await add(gateway, "mine", layer="L3")
    found = await listed(gateway, limit=1)
    assert {"opus = L3", "haiku = auto"} < set(found["aliases"])
    assert (await listed(gateway, limit=1, cursor=found["nextCursor"]))["aliases"] == []
    assert (await listed(gateway, search="OPUS"))["aliases"] == ["opus = L3", "claude-*opus* = L3"]
    async with client_of(gateway) as client:
        assert "Aliases: " in text_of(await client.call_tool("list_models", {"search": "opus"}))


async def test_what_cannot_be_used_says_why(gateway: Gateway) -> None:
    await add(gateway, "fine")
    await add(gateway, "off", enabled=False)
    await add(gateway, "foreign", id="anthropic:foreign", provider="anthropic")
    await add(gateway, "dark", layer="L3")
    await gateway.registry.toggle_layer("L3", False)
    found = {entry["model"]: entry for entry in (await listed(gateway, limit=100))["models"]}
    assert found["off"]["whyNot"] == "the model is turned off"
    assert "anthropic" in found["foreign"]["whyNot"]
    assert found["dark"]["whyNot"] == "layer L3 is turned off"
    assert not any(found[name]["available"] for name in ("off", "foreign", "dark"))
    usable = [entry["model"] for entry in (await listed(gateway, available=True, limit=100))["models"]]
    assert usable == ["fine"]
    assert "off" in [entry["model"] for entry in (await listed(gateway, available=False, limit=100))["models"]]


async def test_what_the_spend_guard_keeps_away_says_so(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(gateway, "bills")
    await add(gateway, "bills-above", layer="L1")
    await add(gateway, "free", price_per_1k_input_tokens="0", price_per_1k_output_tokens="0")
    await gateway.configuration.update({"spend_guard": True})
    found = {entry["model"]: entry["whyNot"] for entry in (await listed(gateway, limit=100))["models"]}
    assert found["bills"].startswith("it bills $2000")
    assert "allowPaid" in found["bills"]
    assert (found["free"], found["bills-above"]) == ("", "")


async def test_filters_by_layer_and_provider(gateway: Gateway) -> None:
    await add(gateway, "mine", layer="L2")
    found = (await listed(gateway, layer="L2", provider="openai", limit=100))["models"]
    assert {(entry["layer"], entry["provider"]) for entry in found} == {("L2", "openai")}
    assert "mine" in [entry["model"] for entry in found]
    assert (await listed(gateway, provider="nobody"))["models"] == []


async def test_pages_hold_every_model_once_even_while_models_come_and_go(gateway: Gateway) -> None:
    for number in range(7):
        await add(gateway, f"page-{number}", priority=number)
    first = await listed(gateway, search="page-", limit=3)
    assert first["total"] == 7
    await gateway.registry.delete("openai:page-2")
    await add(gateway, "page-0-new", priority=0)
    second = await listed(gateway, search="page-", limit=3, cursor=first["nextCursor"])
    third = await listed(gateway, search="page-", limit=3, cursor=second["nextCursor"])
    names = [[entry["model"] for entry in page["models"]] for page in (first, second, third)]
    assert names == [["page-0", "page-1", "page-2"], ["page-3", "page-4", "page-5"], ["page-6"]]
    assert third["nextCursor"] is None


async def test_the_entry_for_routing_is_not_a_model(gateway: Gateway) -> None:
    found = await listed(gateway, limit=100)
    assert "auto" not in [entry["id"] for entry in found["models"]]
    assert found["total"] == len(gateway.registry.snapshot.models)
