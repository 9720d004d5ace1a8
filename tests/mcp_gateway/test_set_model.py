"""The tools that change the registry."""

import pytest

from mcp_gateway.toolsets import Selection
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of, facts_of, text_of


@pytest.mark.parametrize("era", ERAS)
async def test_a_model_is_turned_off_and_moved_for_everybody(gateway: Gateway, era: str) -> None:
    await add(gateway, "one")
    async with client_of(gateway, mode=era) as client:
        off = await client.call_tool("set_model", {"model": "openai:one", "enabled": False})
        assert facts_of(off)["model"]["available"] is False
        assert facts_of(off)["model"]["whyNot"] == "the model is turned off"
        assert "not available: the model is turned off" in text_of(off)
        moved = await client.call_tool(
            "set_model", {"model": "openai:one", "enabled": True, "layer": "L2", "priority": 7}
        )
    found = gateway.registry.snapshot.models["openai:one"]
    assert (found.enabled, found.layer, found.priority) == (True, "L2", 7)
    assert facts_of(moved)["model"] == {**facts_of(off)["model"], **facts_of(moved)["model"]}
    assert text_of(moved).endswith("priority 7")


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_model_is_answered_with_the_nearest(gateway: Gateway, era: str) -> None:
    await add(gateway, "one")
    async with client_of(gateway, mode=era) as client:
        result = await client.call_tool("set_model", {"model": "openai:onee", "enabled": False})
    assert result.is_error
    assert "openai:one" in text_of(result)
    assert "(code: model_not_found)" in text_of(result)


@pytest.mark.parametrize("era", ERAS)
async def test_a_layer_is_put_in_order_and_turned_off(gateway: Gateway, era: str) -> None:
    await add(gateway, "one", layer="L3", priority=0)
    await add(gateway, "two", layer="L3", priority=1)
    order = ["openai:two", "openai:one"]
    async with client_of(gateway, mode=era, selection=Selection.of("admin")) as client:
        result = await client.call_tool("set_layer", {"layer": "L3", "order": order, "enabled": False})
        refused = await client.call_tool("set_layer", {"layer": "L3", "order": ["openai:three"]})
        nothing = await client.call_tool("set_layer", {"layer": "L3"})
    facts = facts_of(result)
    assert (facts["enabled"], facts["models"][:2]) == (False, order)
    assert text_of(result).startswith("L3 is off.\nopenai:two\nopenai:one")
    assert gateway.registry.snapshot.layer_enabled["L3"] is False
    assert refused.is_error
    assert "'enabled' is not valid: this field is required (or 'order')" in text_of(nothing)
