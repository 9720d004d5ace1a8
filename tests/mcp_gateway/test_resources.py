"""The resources."""

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import TextResourceContents

from mcp_gateway.calls.snapshots import MOST_MODELS
from shared.domain.models import Model
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of


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
            await client.read_resource("models://nothing")
    assert told.value.code == -32602
    assert told.value.data == {"uri": "models://nothing"}
    assert "models://registry" in told.value.message


async def test_a_registry_of_thousands_stays_readable(gateway: Gateway) -> None:
    await gateway.registry.add_discovered(
        [
            Model.model_validate(
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
