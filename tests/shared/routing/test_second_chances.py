"""What an operator changes gets another chance: at once, in every process, and nothing else does."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared import upkeep
from shared.domain.models import Model
from shared.errors import UpstreamAuthFailed, UpstreamError, UpstreamTimeout
from shared.gateway import open_gateway
from shared.registry.accounts import AccountChange
from tests.support.chat_stack import chat_stack
from tests.support.http_gateway import MODEL, Surface, settings_for, surface, without_models
from tests.support.waiting import until

FREE = {"pricePer1kInputTokens": 0, "pricePer1kOutputTokens": 0}
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


async def answering(made: Surface, **more: Any) -> str:
    """The model that answers; what is wrong where none does."""
    answer = await made.http.post("/v1/chat/completions", json={**HELLO, **more})
    return answer.headers["x-gateway-model"] if answer.status_code == 200 else str(answer.json()["code"])


async def test_a_key_that_is_replaced_is_asked_at_once(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await without_models(made)
        made.provider.refuses = frozenset({"sk-bad"})
        given = {"name": "pa", "baseUrl": made.provider.base_url, "apiKey": "sk-bad"}
        assert (await made.http.post("/v1/providers", json=given)).status_code == 201
        for model_id, provider, priority in (("a", "pa", 0), ("b", "openai", 1)):
            model = {**MODEL, "id": model_id, "provider": provider, "priority": priority}
            assert (await made.http.post("/v1/models", json=model)).status_code == 201
        assert await answering(made) == "b"
        assert (await made.http.put("/v1/providers/pa", json={"apiKey": "sk-good"})).status_code == 200
        assert await answering(made) == "a"
        assert made.gateway.health.all_well


@pytest.mark.parametrize("change", [{"layer": "L1"}, {"pricePer1kInputTokens": 0.001}], ids=["layer", "price"])
async def test_a_free_model_that_billed_is_asked_again_after_what_the_log_advises(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    async with surface(tmp_path, spend_guard=True) as made:
        await without_models(made)
        await made.http.post("/v1/models", json={**MODEL, **FREE})
        provider: Any = made.gateway.providers.get("openai")
        provider.reports_cost = True
        made.provider.bills = 0.01
        assert await answering(made) == MODEL["id"]
        assert await answering(made, model=MODEL["id"]) == "no_model_available"
        assert (await made.http.put(f"/v1/models/{MODEL['id']}", json=change)).status_code == 200
        assert made.gateway.health.all_well
        if "layer" in change:  # one with a price has no place in the free layer, whoever names it
            assert await answering(made, model=MODEL["id"]) == MODEL["id"]


async def test_what_one_process_changes_is_forgiven_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.01)
    settings = settings_for(tmp_path, openai_api_key="sk-one")
    async with open_gateway(settings) as one, open_gateway(settings) as other:
        added = [Model(id=name, provider="openai", api_model_name=name, layer="L0") for name in ("a", "b", "c")]
        for model in added:
            await one.registry.add(model)
        await until(lambda: "c" in other.registry.snapshot.models)
        a, b, c = added
        other.health.bar(a, 0, "bills_in_free_layer")
        other.health.failed(b, UpstreamError("x"))
        await one.registry.update("b", {"priority": 7})
        await one.registry.update("a", {"layer": "L1"})
        await until(lambda: other.registry.snapshot.models["a"].layer == "L1")
        assert (other.health.cooling(a), other.health.cooling(b) > 0) == (0, True)

        other.health.failed(c, UpstreamAuthFailed("No.", status=401))
        assert other.health.cooling(a) > 0
        await one.accounts_of_providers.update("openai", AccountChange(api_key="sk-two"))
        await until(lambda: other.health.all_well)
        assert [other.health.rank(model)[0] for model in (a, b, c)] == [False] * 3


async def test_a_model_that_is_turned_off_and_on_again_or_made_anew_starts_anew(tmp_path: Path) -> None:
    async with open_gateway(settings_for(tmp_path, openai_api_key="sk-one")) as gateway:
        model = Model(id="a", provider="openai", api_model_name="a", layer="L0")
        await gateway.registry.add(model)
        gateway.health.failed(model, UpstreamError("x"))
        await gateway.registry.update("a", {"enabled": False})
        assert gateway.health.cooling(model) == 0
        gateway.health.failed(model, UpstreamError("x"))
        await gateway.registry.delete("a")
        assert gateway.health.cooling(model) == 0


async def test_an_account_that_stays_as_it_was_keeps_its_breakers(tmp_path: Path) -> None:
    async with open_gateway(settings_for(tmp_path, openai_api_key="sk-one", anthropic_api_key="sk-ant-one")) as gateway:
        model = Model(id="a", provider="openai", api_model_name="a", layer="L0")
        await gateway.registry.add(model)
        gateway.health.failed(model, UpstreamAuthFailed("No.", status=401))
        await gateway.accounts_of_providers.update("anthropic", AccountChange(api_key="sk-two"))
        assert gateway.health.cooling(model) > 0


async def test_a_failure_with_the_account_of_before_says_nothing_of_the_new_one(tmp_path: Path) -> None:
    async with chat_stack(tmp_path) as stack:
        model = await stack.add("scripted-hang")
        asking = asyncio.ensure_future(stack.chat())
        await asyncio.wait_for(stack.server.arrived.wait(), 5)
        account = stack.providers.account("scripted")
        assert account is not None
        await stack.providers.replace([replace(account, api_key="sk-new")])
        with pytest.raises(UpstreamTimeout):
            await asking
        assert stack.health.cooling(model) == 0
        assert stack.providers.health("scripted").detail == "not asked yet"
        with pytest.raises(UpstreamTimeout):
            await stack.chat()
        assert stack.health.cooling(model) > 0
