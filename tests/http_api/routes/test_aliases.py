"""The aliases of models over HTTP: read, changed, and seen in what a chat does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.domain.aliases import default_aliases
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_stack import error_of
from tests.support.waiting import until

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Surface]:
    async with surface(tmp_path) as found:
        for name in list(found.gateway.registry.snapshot.models):
            await found.gateway.registry.delete(name)
        for layer in ("L0", "L1", "L2", "L3"):
            body = {**MODEL, "id": f"in-{layer}", "apiModelName": f"scripted-{layer}", "layer": layer}
            assert (await found.http.post("/v1/models", json=body)).status_code == 201
        yield found


async def chat(here: Surface, model: str) -> httpx.Response:
    return await here.http.post("/v1/chat/completions", json={**HELLO, "model": model})


async def layer_of(here: Surface, model: str) -> str:
    answer = await chat(here, model)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-gateway-layer"])


async def put(here: Surface, *rules: tuple[str, list[str]]) -> httpx.Response:
    body = {"aliases": [{"name": name, "targets": targets} for name, targets in rules]}
    return await here.http.put("/v1/aliases", json=body)


async def test_the_models_of_claude_code_land_on_layers_by_default(here: Surface) -> None:
    found = {name: await layer_of(here, name) for name in ("claude-haiku-4-5-20251001", "claude-sonnet-5", "opus[1m]")}
    assert list(found.values()) == ["L0", "L2", "L3"]
    assert await layer_of(here, "gpt-5.5") == "L2"


async def test_the_rules_are_read_changed_and_reset(here: Surface) -> None:
    shown = (await here.http.get("/v1/aliases")).json()
    assert shown["isDefault"] is True
    assert [alias["name"] for alias in shown["aliases"]] == [alias.name for alias in default_aliases()]
    changed = (await put(here, ("opus", ["L1"]), ("fav*", ["in-L2", "auto"]))).json()
    assert changed["isDefault"] is False
    assert changed == (await here.http.get("/v1/aliases")).json()
    assert changed["aliases"][1] == {"name": "fav*", "targets": ["in-L2", "auto"], "leadsTo": "in-L2"}
    assert [await layer_of(here, name) for name in ("opus", "favourite")] == ["L1", "L2"]
    assert (await chat(here, "claude-sonnet-5")).status_code == 404
    assert (await here.http.put("/v1/aliases", json={"aliases": None})).json()["isDefault"] is True
    assert await layer_of(here, "opus") == "L3"


async def test_the_rule_that_counts_for_a_name_can_be_asked_for(here: Surface) -> None:
    async def rules(name: str) -> list[str]:
        answer = await here.http.get("/v1/aliases", params={"name": name})
        return [alias["name"] for alias in answer.json()["aliases"]]

    assert await rules("claude-opus-4-8[1m]") == ["claude-*opus*"]
    assert await rules("llama") == []


@pytest.mark.parametrize(
    ("rules", "field", "reason"),
    [
        ([("x", ["L9"])], "aliases.0.targets.0", "did you mean"),
        ([("x", ["L1"]), ("X", ["L2"])], "aliases.1.name", "two rules"),
        ([("auto", ["L1"])], "aliases.0.name", "router itself"),
        ([("x", [])], "aliases.0.targets", ""),
    ],
)
async def test_a_rule_that_is_not_valid_changes_nothing(here: Surface, rules: Any, field: str, reason: str) -> None:
    answer = await put(here, *rules)
    assert answer.status_code == 400
    problem = error_of(answer)["details"]["fields"][0]
    assert problem["field"] == field
    assert reason in problem["reason"]
    assert (await here.http.get("/v1/aliases")).json()["isDefault"] is True


async def test_a_target_whose_model_is_deleted_is_passed_over_and_stands_in_no_ones_way(here: Surface) -> None:
    assert (await put(here, ("mine", ["in-L2", "L1"]))).status_code == 200
    assert (await here.http.delete("/v1/models/in-L2")).status_code == 200
    assert await layer_of(here, "mine") == "L1"
    assert (await put(here, ("mine", ["in-L2", "L1"]), ("yours", ["L0"]))).status_code == 200
    assert (await put(here, ("mine", ["in-L9"]))).status_code == 400


async def test_an_explanation_a_decision_and_an_answer_say_what_it_led_to(here: Surface) -> None:
    explained = (await here.http.post("/v1/route/explain", json={**HELLO, "model": "claude-opus-4-8"})).json()
    assert (explained["model"], explained["aliasOf"], explained["firstChoice"]) == ("claude-opus-4-8", "L3", "in-L3")
    assert explained["summary"].startswith("'claude-opus-4-8' is an alias of L3: in-L3")
    plain = (await here.http.post("/v1/route/explain", json={**HELLO, "model": "in-L3"})).json()
    assert (plain["model"], plain["aliasOf"]) == ("in-L3", None)
    answer = await chat(here, "claude-opus-4-8")
    assert (answer.headers["x-gateway-model"], answer.json()["model"]) == ("in-L3", "scripted-L3")
    decision = (await here.http.get(f"/v1/decisions/{answer.headers['x-request-id']}")).json()["decision"]
    assert (decision["facts"]["alias"], decision["facts"]["model"]) == ("claude-opus-4-8", "L3")


async def test_other_gateways_on_the_database_see_a_change(tmp_path: Path, database_url: str) -> None:
    secrets = {"jwt_secret": "0123456789abcdefghijklmnopqrstuvwxyz"}
    secrets["secrets_key"] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(surface(tmp_path / name, database_url=database_url, **secrets))
            for name in ("a", "b")
        ]
        assert (await put(one, ("mine", ["L1"]))).status_code == 200
        await until(lambda: [alias.name for alias in other.gateway.aliases.table] == ["mine"])


async def test_a_key_needs_the_scope_to_change_them_and_no_bounds_of_its_own(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}

        async def status(scopes: list[str], **limits: Any) -> tuple[int, int]:
            body = {"name": "k", "scopes": scopes, **limits}
            key = (await made.http.post("/v1/keys", json=body, headers=admin)).json()["secret"]
            headers = {"authorization": f"Bearer {key}"}
            read = await made.http.get("/v1/aliases", headers=headers)
            wrote = await made.http.put("/v1/aliases", json={"aliases": []}, headers=headers)
            return read.status_code, wrote.status_code

        assert await status(["models:read"]) == (200, 403)
        assert await status(["models:read", "models:write"], maxLayer="L1") == (200, 403)
        assert await status(["models:read", "models:write"]) == (200, 200)
