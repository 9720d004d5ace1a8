"""The resources."""

import json
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextResourceContents

from mcp_gateway.calls.snapshots import MOST_MODELS
from mcp_gateway.calls.terminal_snapshots import MOST_CHARACTERS
from shared.domain import models
from shared.domain.budgets import NewBudget
from shared.domain.targets import LocalTarget
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of
from tests.support.mcp_terminal import Model


async def read(client: Client, uri: str) -> dict[str, Any]:
    (contents,) = (await client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    assert contents.mime_type == "application/json"
    assert contents.uri == uri
    found = json.loads(contents.text)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("era", ERAS)
async def test_the_registry_is_live(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        before = await read(client, "models://registry")
        await add(gateway, "fresh")
        after = await read(client, "models://registry")
    assert after["total"] == before["total"] + 1 == len(after["models"])
    assert "openai:fresh" in [model["id"] for model in after["models"]]
    assert after["truncated"] is False


@pytest.mark.parametrize("era", ERAS)
async def test_the_layers_are_all_there(gateway: Gateway, era: str) -> None:
    await add(gateway, "fresh", layer="L3")
    await gateway.registry.toggle_layer("L2", False)
    async with client_of(gateway, mode=era) as client:
        layers = (await read(client, "models://layers"))["layers"]
    assert list(layers) == ["L0", "L1", "L2", "L3"]
    assert [layers[name]["enabled"] for name in layers] == [True, True, False, True]
    assert "openai:fresh" in [model["id"] for model in layers["L3"]["models"]]


@pytest.mark.parametrize("era", ERAS)
async def test_health_is_that_of_the_rest_endpoint(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        health = await read(client, "gateway://health")
    assert health["database"] is True
    assert health["redis"] is False
    assert health["version"] == gateway.version
    assert set(health["layers"]) == {"L0", "L1", "L2", "L3"}
    assert health["configuration"]["defaultLayer"] == "L0"


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_not_there_is_said_so(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        with pytest.raises(MCPError) as told:
            await client.read_resource("gateway://nothing")
    assert told.value.code == -32602
    assert told.value.data == {"uri": "gateway://nothing"}
    assert "models://registry" in told.value.message


async def test_a_registry_of_thousands_stays_readable(gateway: Gateway) -> None:
    await gateway.registry.add_discovered(
        [
            models.Model.model_validate(
                {"id": f"oss-local/m{number}", "provider": "oss-local", "apiModelName": f"m{number}", "layer": "L0"}
            )
            for number in range(3_000)
        ]
    )
    async with client_of(gateway, mode="legacy") as client:
        registry = await read(client, "models://registry")
        assert registry["total"] > 3_000
        assert registry["truncated"] is True
        assert len(registry["models"]) == MOST_MODELS
        for uri in ("models://registry", "models://layers", "gateway://health"):
            assert len(json.dumps(await read(client, uri))) < 250_000


async def text_at(client: Client, uri: str) -> str:
    (contents,) = (await client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    assert contents.mime_type == "text/plain"
    return contents.text


@pytest.mark.parametrize("era", ERAS)
async def test_sessions_their_output_and_their_screens_can_be_read(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode=era) as client:
        model = Model(client)
        await model.plain_shell()
        (session,) = (await read(client, "terminal://sessions"))["sessions"]
        assert session["sessionId"] == model.id
        await model.send("clear; echo $((6*7))")
        assert (await text_at(client, f"terminal://{model.id}/screen")).rstrip() == "42\n$"
        assert "\n42\n" in await text_at(client, f"terminal://{model.id}/output")
        await model.send("seq 1 100000", view="screen")
        output = await text_at(client, f"terminal://{model.id}/output")
        assert len(output) < MOST_CHARACTERS + 100
        assert output.startswith("[… the first ")
        assert output.endswith("100000\n$ ")


@pytest.mark.parametrize("era", ERAS)
async def test_the_sessions_of_others_are_no_resources(gateway: Gateway, era: str) -> None:
    session = await gateway.terminals.open("somebody-else", LocalTarget())
    async with client_of(gateway, mode=era) as client:
        assert (await read(client, "terminal://sessions"))["sessions"] == []
        for uri in (f"terminal://{session.id}/output", f"terminal://{session.id}/screen", "terminal://nothing/output"):
            with pytest.raises(MCPError) as told:
                await client.read_resource(uri)
            assert told.value.code == -32602
            assert "session_not_found" in str(told.value.data)


@pytest.mark.parametrize("uri", ["terminal:///output", "terminal://a/b/output", "terminal://a/outputs", "terminal://a"])
async def test_an_address_of_no_kind_is_said_to_be_none(gateway: Gateway, uri: str) -> None:
    async with client_of(gateway) as client:
        with pytest.raises(MCPError, match="There is no such resource") as told:
            await client.read_resource(uri)
    assert "terminal://{id}/output" in told.value.message


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("uri", ["models://openai:org/fresh.1", "models://openai%3Aorg%2Ffresh.1"])
async def test_one_model_can_be_read_by_its_id(gateway: Gateway, era: str, uri: str) -> None:
    await add(gateway, "org/fresh.1", layer="L2")
    async with client_of(gateway, mode=era) as client:
        found = await read(client, uri)
        assert (found["id"], found["layer"], found["available"]) == ("openai:org/fresh.1", "L2", True)
        with pytest.raises(MCPError) as told:
            await client.read_resource("models://openai:org/fresh.2")
    assert told.value.code == -32602
    assert told.value.data["code"] == "model_not_found"


@pytest.mark.parametrize("era", ERAS)
async def test_what_an_agent_needs_to_plan_can_be_read(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted", price_per_1k_input_tokens="1", price_per_1k_output_tokens="1")
    await add(gateway, "scripted-e500", layer="L1")
    await gateway.budgets.add(NewBudget(limit_usd=Decimal(5), period="day"))
    async with client_of(gateway, mode=era) as client:
        await client.call_tool("chat", {"message": "hi", "model": "openai:scripted"})
        for _ in range(5):
            await client.call_tool("chat", {"message": "hi", "model": "openai:scripted-e500"})
        routing = await read(client, "gateway://routing")
        layer = routing["layers"]["L0"]
        assert (layer["enabled"], layer["available"], layer["first"]) == (True, 1, "openai:scripted")
        assert routing["coolingSeconds"]["openai:scripted-e500"] > 0
        (budget,) = (await read(client, "gateway://budget"))["budgets"]
        assert (budget["whose"], budget["period"], budget["limitUsd"]) == ("everybody", "day", 5)
        assert 0 < budget["spentUsd"] < 5
        assert budget["leftUsd"] == pytest.approx(5 - budget["spentUsd"])
        today = await read(client, "usage://today")
        assert today["total"]["requests"] == 6
        assert {group["group"] for group in today["groups"]} == {"openai:scripted", "openai:scripted-e500"}
        assert today["total"]["costUsd"] == budget["spentUsd"]


@pytest.mark.parametrize("era", ERAS)
async def test_open_sessions_are_listed_with_the_resources(gateway: Gateway, era: str) -> None:
    other = await gateway.terminals.open("somebody-else", LocalTarget())
    async with client_of(gateway, mode=era) as client:
        model = Model(client)
        await model.open()
        listed = [str(resource.uri) for resource in (await client.list_resources(cache_mode="bypass")).resources]
        assert listed[-1] == f"terminal://{model.id}/output"
        assert other.id not in str(listed)
        await model.close()
        assert model.id not in str((await client.list_resources(cache_mode="bypass")).resources)
