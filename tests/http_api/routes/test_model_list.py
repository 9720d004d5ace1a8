"""The model list as clients of other APIs read it: Anthropic's SDK, Codex, and those that look for a context window."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.support.http_gateway import MODEL, Surface, surface, without_models
from tests.support.http_server import serving
from tests.support.http_stack import error_of

WINDOWS = {"a": 8_000, "b": 32_000, "c": None, "d": 200_000}
VIRTUAL = ["auto", "claude-auto", "haiku", "sonnet", "opus"]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Surface]:
    """Two models in L0, one in L2, and one in L3 whose provider has no key."""
    async with surface(tmp_path) as found:
        await without_models(found)
        for (name, window), layer in zip(WINDOWS.items(), ("L0", "L0", "L2", "L3"), strict=True):
            provider = "anthropic" if name == "d" else "openai"
            body = {**MODEL, "id": name, "apiModelName": f"api-{name}", "layer": layer, "provider": provider}
            assert (await found.http.post("/v1/models", json={**body, "contextWindow": window})).status_code == 201
        yield found


@asynccontextmanager
async def sdk(here: Surface) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with (
        serving(here.app) as server,
        anthropic.AsyncAnthropic(base_url=server.url, api_key="sk-any", max_retries=0) as client,
    ):
        yield client


async def listed(here: Surface, **query: Any) -> dict[str, Any]:
    answer = await here.http.get("/v1/models", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(found: dict[str, Any]) -> list[str]:
    return [model["id"] for model in found["data"]]


async def test_an_entry_has_the_fields_of_all_apis(here: Surface) -> None:
    found = {model["id"]: model for model in (await listed(here))["data"]}
    assert list(found) == [*VIRTUAL, *WINDOWS]
    one = found["b"]
    assert (one["object"], one["owned_by"], one["apiModelName"], one["layer"]) == ("model", "openai", "api-b", "L0")
    assert (one["type"], one["display_name"], one["lifecycle"]) == ("model", "api-b (openai)", "active")
    assert one["created_at"].endswith("Z")
    for name in ("contextWindow", "context_length", "max_model_len", "max_input_tokens"):
        assert (one[name], found["c"][name]) == (32_000, None)
    assert one == (await here.http.get("/v1/models/b")).json()


async def test_names_that_routing_turns_into_models_have_the_window_of_what_they_lead_to(here: Surface) -> None:
    found = {model["id"]: model for model in (await listed(here))["data"]}
    assert [found[name]["context_length"] for name in VIRTUAL] == [32_000, 32_000, 32_000, None, None]
    assert [found[name]["virtual"] for name in VIRTUAL] == [True] * 5
    assert (found["opus"]["layer"], found["auto"]["layer"]) == ("L2", "L0"), "nothing in L3 can be called"
    by_name = (await here.http.get("/v1/models/claude-opus-4-8%5B1m%5D")).json()
    assert (by_name["id"], by_name["virtual"], by_name["layer"]) == ("claude-opus-4-8[1m]", True, "L2")
    assert (await here.http.get("/v1/models/llama")).status_code == 404
    await here.http.put("/v1/config", json={"defaultLayer": "L1"})
    assert (await here.http.get("/v1/models/auto")).json()["layer"] == "L2"


async def test_a_registered_model_is_not_listed_as_an_alias_too(here: Surface) -> None:
    await here.http.post("/v1/models", json={**MODEL, "id": "opus"})
    assert ids(await listed(here)).count("opus") == 1


async def test_pages_go_on_behind_an_id_and_back_before_one(here: Surface) -> None:
    everything = ids(await listed(here))
    first = await listed(here, limit=4)
    assert (ids(first), first["has_more"]) == (everything[:4], True)
    assert (first["first_id"], first["last_id"]) == (everything[0], everything[3])
    second = await listed(here, limit=5, after_id=first["last_id"])
    assert (ids(second), second["has_more"]) == (everything[4:], False)
    back = await listed(here, limit=3, before_id=second["first_id"])
    assert (ids(back), back["has_more"]) == (everything[1:4], True)
    filtered = await listed(here, layer="L0", limit=1)
    assert (ids(filtered), filtered["has_more"]) == (["a"], True)
    empty = await listed(here, layer="L1")
    assert (empty["data"], empty["first_id"], empty["last_id"], empty["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"after_id": "gone"}, "after_id"), ({"before_id": "gone"}, "before_id"), ({"limit": "0"}, "limit")],
)
async def test_a_page_that_cannot_be_is_refused(here: Surface, query: dict[str, str], field: str) -> None:
    answer = await here.http.get("/v1/models", params=query)
    assert answer.status_code == 400
    assert error_of(answer)["details"]["fields"][0]["field"] == field
    assert (await here.http.get("/v1/models", params={"after_id": "a", "before_id": "b"})).status_code == 400


async def test_anthropics_sdk_lists_pages_and_retrieves(here: Surface) -> None:
    async with sdk(here) as client:
        seen = [model.id async for model in client.models.list(limit=2)]
        assert seen == ids(await listed(here))
        backwards = await client.models.list(limit=2, before_id="d")
        assert [model.id for model in backwards.data] == ["b", "c"]
        one = await client.models.retrieve("b")
        assert (one.type, one.display_name, one.max_input_tokens) == ("model", "api-b (openai)", 32_000)
        assert one.created_at.year >= 2026
        assert one.lifecycle == "active"
        assert (await client.models.retrieve("claude-haiku-4-5-20251001")).id == "claude-haiku-4-5-20251001"


async def test_claude_code_finds_a_model_that_has_its_vendors_name(here: Surface) -> None:
    headers = {"anthropic-version": "2023-06-01", "user-agent": "claude-code/2.1.328"}
    answer = await here.http.get("/v1/models", params={"limit": "1000"}, headers=headers)
    assert [model["id"] for model in answer.json()["data"] if "claude" in model["id"]] == ["claude-auto"]


async def test_codex_gets_its_catalogue_of_what_can_be_asked(here: Surface) -> None:
    await here.http.put("/v1/models/c", json={"capabilities": {"reasoning": True, "vision": False, "tools": True}})
    found = await listed(here, client_version="0.171.0")
    assert ids(found) == [*VIRTUAL, "a", "b", "c"] == [model["slug"] for model in found["models"]]
    by_slug = {model["slug"]: model for model in found["models"]}
    assert by_slug["b"]["context_window"] == 32_000
    assert (by_slug["b"]["input_modalities"], by_slug["c"]["input_modalities"]) == (["text", "image"], ["text"])
    assert [level["effort"] for level in by_slug["c"]["supported_reasoning_levels"]] == ["low", "medium", "high"]
    assert by_slug["c"]["default_reasoning_level"] == "medium"
    assert by_slug["b"]["supported_reasoning_levels"] == []
    auto = by_slug["auto"]
    assert (auto["context_window"], auto["apply_patch_tool_type"], auto["priority"]) == (32_000, "freeform", 0)
    assert (auto["shell_type"], auto["truncation_policy"]) == ("unified_exec", {"mode": "tokens", "limit": 10_000})
    assert "apply_patch" in auto["base_instructions"]
    assert "models" not in await listed(here)


async def test_the_catalogue_of_a_large_registry_is_one_that_codex_takes(here: Surface) -> None:
    for number in range(200):
        body = {**MODEL, "id": f"m{number}", "apiModelName": f"m{number}", "layer": "L1"}
        assert (await here.http.post("/v1/models", json=body)).status_code == 201
    answer: httpx.Response = await here.http.get("/v1/models", params={"client_version": "0.171.0"})
    assert len(answer.json()["models"]) == 100
    assert answer.json()["has_more"] is True
    assert len(answer.content) < 1024 * 1024
