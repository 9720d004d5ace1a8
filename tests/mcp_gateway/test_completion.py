"""Completion of what has known values."""

import asyncio

import pytest
from mcp import Client
from mcp.types import PromptReference, ResourceTemplateReference

from mcp_gateway.completion import listed, several
from mcp_gateway.prompts import PROMPTS
from mcp_gateway.resource_table import TEMPLATES
from mcp_gateway.server import create_server
from shared.domain.connections import CreateConnection
from shared.domain.targets import LocalTarget
from shared.errors import Unavailable
from shared.gateway import Gateway
from tests.support.mcp_stack import ERAS, add, client_of


async def completed(gateway: Gateway, era: str, ref: object, name: str, value: str) -> list[str]:
    async with client_of(gateway, mode=era) as client:
        return (await client.complete(ref, {"name": name, "value": value})).completion.values  # type: ignore[arg-type]


@pytest.mark.parametrize("era", ERAS)
async def test_ids_of_models_and_sessions_complete_the_templates(gateway: Gateway, era: str) -> None:
    await add(gateway, "alpha")
    await add(gateway, "beta-alpha", enabled=False)
    session = await gateway.terminals.open("local", LocalTarget())
    await gateway.terminals.open("somebody-else", LocalTarget())
    models = ResourceTemplateReference(uri="models://{id}")
    assert (await completed(gateway, era, models, "id", "openai:al"))[:1] == ["openai:alpha"]
    assert (await completed(gateway, era, models, "id", "ALPHA"))[:2] == ["openai:alpha", "openai:beta-alpha"]
    for uri in ("terminal://{id}/output", "terminal://{id}/screen"):
        assert await completed(gateway, era, ResourceTemplateReference(uri=uri), "id", "term") == [session.id]


@pytest.mark.parametrize("era", ERAS)
async def test_the_arguments_of_prompts_are_completed(gateway: Gateway, era: str) -> None:
    await add(gateway, "alpha")
    await add(gateway, "beta")
    compare = PromptReference(name="compare_models")
    assert await completed(gateway, era, compare, "models", "openai:alpha, openai:b") == ["openai:alpha, openai:beta"]
    assert "openai:alpha,openai:alpha" not in await completed(gateway, era, compare, "models", "openai:alpha,openai:")
    assert await completed(gateway, era, compare, "question", "why") == []
    assert await completed(gateway, era, PromptReference(name="review_spend"), "days", "3") == ["30"]
    assert await completed(gateway, era, PromptReference(name="nothing"), "models", "") == []


@pytest.mark.parametrize("era", ERAS)
async def test_names_of_saved_connections_complete_the_host(gateway: Gateway, era: str) -> None:
    new = CreateConnection.model_validate({"name": "web-1", "type": "telnet", "host": "localhost"})
    await gateway.connections.create("local", new)
    assert await completed(gateway, era, PromptReference(name="diagnose_host"), "host", "we") == ["web-1"]


@pytest.mark.parametrize(
    ("name", "typed", "first"),
    [("layer", "L", "L0"), ("provider", "opena", "openai"), ("model", "openai:al", "openai:alpha")],
)
async def test_arguments_of_tools_are_completed_for_those_who_ask(
    gateway: Gateway, name: str, typed: str, first: str
) -> None:
    await add(gateway, "alpha")
    assert (await completed(gateway, "auto", ResourceTemplateReference(uri="tool://chat"), name, typed))[0] == first


def test_every_place_for_an_id_has_known_values() -> None:
    assert {template.values for template in TEMPLATES} == {"models", "sessions"}
    assert [argument.values for argument in PROMPTS["diagnose_host"].arguments] == ["connections", ""]


def test_what_begins_so_comes_first_and_long_lists_are_cut() -> None:
    assert listed(["xb", "b", "a"], "B").values == ["b", "xb"]
    found = listed([f"m{number}" for number in range(250)], "m")
    assert (len(found.values), found.total, found.has_more) == (100, 250, True)
    assert several(["a", "b"], "a,").values == ["a,b"]


async def test_text_without_known_values_does_not_wait_for_the_gateway() -> None:
    async def never() -> Gateway:
        await asyncio.Event().wait()
        raise AssertionError

    from mcp import Client

    async with asyncio.timeout(5), Client(create_server(never)) as client:
        ref = PromptReference(name="choose_model")
        assert (await client.complete(ref, {"name": "task", "value": "x"})).completion.values == []


@pytest.mark.parametrize("era", ERAS)
async def test_without_a_gateway_nothing_is_completed(era: str) -> None:
    async def broken() -> Gateway:
        raise Unavailable("The gateway could not be opened.")

    async with Client(create_server(broken), mode=era) as client:
        found = await client.complete(ResourceTemplateReference(uri="models://{id}"), {"name": "id", "value": "a"})
    assert found.completion.values == []
