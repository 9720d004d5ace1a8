"""What `auto` does with what a user has: the table that docs/routing.md opens with, cell by cell, and what bounds it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_api.app import create_app
from shared.gateway import Gateway
from shared.providers.scripted import Failing, ScriptedServer
from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.http_gateway import opener, settings_for
from tests.support.http_stack import client, error_of
from tests.support.redis_servers import RedisServer
from tests.support.serving import serving
from tests.support.waiting import until

EMBEDDED = "oss-local/smollm2-135m-instruct"
FREE = "openrouter/minimax/minimax-m3.1-flash:free"
FREE_SEEING = "openrouter/nvidia/nemotron-3.5-super-vl:free"
OPENAI = "openai/gpt-6-luna"
ANTHROPIC = "anthropic/claude-haiku-5-5"
LOCAL = "oss-local/scripted-local"
TOOLS = [
    {"type": "function", "function": {"name": f"tool_{number}", "parameters": {"type": "object"}}}
    for number in range(30)
]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
ASKED: dict[str, dict[str, Any]] = {
    "agent": {"messages": [{"role": "user", "content": "word " * 48_000}], "tools": TOOLS, "max_tokens": 32_000},
    "hi": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
    "proof": {
        "messages": [{"role": "user", "content": "Prove that there are infinitely many primes."}],
        "max_tokens": 5,
    },
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]},
    "schema": {"messages": [{"role": "user", "content": "hi"}], "response_format": SCHEMA, "max_tokens": 5},
}
MESSAGE = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hello."}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":2}}'
)


@dataclass
class Stand:
    """A gateway whose user has some of the providers, and a client of it."""

    gateway: Gateway
    http: httpx.AsyncClient
    openrouter: ScriptedServer
    openai: ScriptedServer
    local: ScriptedServer

    async def ask(self, what: str = "hi", **more: Any) -> httpx.Response:
        return await self.http.post("/v1/chat/completions", json={"model": "auto", **ASKED[what], **more})


@asynccontextmanager
async def stand(folder: Path, *have: str, local_model: str = "scripted-local", **settings: Any) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        openrouter = await stack.enter_async_context(ScriptedServer().listening())
        openai = await stack.enter_async_context(ScriptedServer().listening())
        local = await stack.enter_async_context(ScriptedServer(models=(local_model,)).listening())
        anthropic = await stack.enter_async_context(FakeAnthropic(*(Reply([MESSAGE]) for _ in range(10))))
        given = {
            "openrouter": {"openrouter_api_key": "sk-or", "openrouter_base_url": openrouter.base_url},
            "openai": {"openai_api_key": "sk-oa", "openai_base_url": openai.base_url},
            "anthropic": {"anthropic_api_key": "sk-an", "anthropic_base_url": anthropic.url},
            "local": {"oss_model_endpoint": local.base_url},
        }
        own = {name: value for one in have for name, value in given[one].items()}
        usual = {
            "embedded_model": "auto",
            "spend_guard": True,
            "auto_budget_usd_per_day": 1,
            "rate_limit_per_minute": 0,
        }
        app = create_app(opener(settings_for(folder, **{**usual, **own, **settings})))
        gateway = await stack.enter_async_context(app.opened())
        http = await stack.enter_async_context(client(app, timeout=60))
        if "local" in have:
            await until(lambda: _is_served(gateway, f"oss-local/{local_model}"))
        yield Stand(gateway, http, openrouter, openai, local)


def _is_served(gateway: Gateway, model_id: str) -> bool:
    model = gateway.registry.snapshot.models.get(model_id)
    return model is not None and gateway.providers.serves(model)


def always(status: int, error: Any, headers: str = "") -> Failing:
    return lambda _: (status, error, headers)


def limited(there: Stand, layers: str = "L0", *, reset: float) -> None:
    """OpenRouter's daily limit on free models, as it tells it."""
    error = {
        "code": 429,
        "message": "Rate limit exceeded: free-models-per-day",
        "metadata": {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Reset": str(int(reset * 1000))}},
    }
    for model in there.gateway.registry.snapshot.models.values():
        if model.provider == "openrouter" and model.layer in layers:
            there.openrouter.fails[model.api_model_name] = always(429, {"error": error})


CELLS = [
    ((), "hi", EMBEDDED),
    ((), "proof", EMBEDDED),
    ((), "schema", EMBEDDED),
    ((), "agent", "no_suitable_model"),
    ((), "image", "no_suitable_model"),
    *((("openrouter",), what, FREE) for what in ("hi", "proof", "schema", "agent")),
    (("openrouter",), "image", FREE_SEEING),
    *((("openai",), what, OPENAI) for what in ASKED),
    *((("anthropic",), what, ANTHROPIC) for what in ASKED),
    *((("local",), what, LOCAL) for what in ASKED),
    *((("openrouter", "openai", "anthropic", "local"), what, FREE) for what in ("hi", "proof", "schema", "agent")),
    (("openrouter", "openai", "anthropic", "local"), "image", FREE_SEEING),
]


@pytest.mark.parametrize(
    ("have", "what", "outcome"), CELLS, ids=lambda value: "+".join(value) if isinstance(value, tuple) else value
)
async def test_auto_does_what_the_table_says(tmp_path: Path, have: tuple[str, ...], what: str, outcome: str) -> None:
    async with stand(tmp_path, *have) as there:
        answer = await there.ask(what)
        if "/" not in outcome:
            assert (answer.status_code, error_of(answer)["code"]) == (400, outcome)
            return
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-gateway-model"] == outcome
        assert ("embedded model" in answer.headers.get("x-gateway-notice", "")) == (outcome == EMBEDDED)


async def test_the_embedded_model_says_so_by_name_too(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        answer = await there.ask(model=EMBEDDED)
        assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, EMBEDDED)
        assert "embedded model" in answer.headers["x-gateway-notice"]


@pytest.mark.parametrize("stream", [False, True])
async def test_without_its_budget_auto_is_refused_and_told_what_helps(tmp_path: Path, stream: bool) -> None:
    async with stand(tmp_path, "openai", auto_budget_usd_per_day=0) as there:
        answer = await there.ask(stream=stream)
        assert (answer.status_code, error_of(answer)["code"]) == (400, "no_suitable_model")
        assert "AUTO_BUDGET_USD_PER_DAY" in error_of(answer)["error"]
        assert (await there.ask(model=OPENAI)).status_code == 200
        assert (await there.ask(gateway={"maxLayer": "L1"})).headers["x-gateway-model"] == OPENAI


async def test_all_free_models_over_their_daily_limit_is_a_429_with_the_time(tmp_path: Path) -> None:
    async with stand(tmp_path, "openrouter", auto_budget_usd_per_day=0) as there:
        limited(there, reset=time.time() + 5 * 3600)
        for _ in range(2):
            answer = await there.ask()
            assert (answer.status_code, error_of(answer)["code"]) == (429, "provider_rate_limited")
            assert 4 * 3600 < int(answer.headers["retry-after"]) <= 5 * 3600 + 1
            assert "Try again in 5 hours." in error_of(answer)["error"]


async def test_without_credit_the_limit_of_the_free_models_is_told(tmp_path: Path) -> None:
    async with stand(tmp_path, "openrouter") as there:
        limited(there, reset=time.time() + 5 * 3600)
        for model in there.gateway.registry.snapshot.by_layer["L1"]:
            there.openrouter.fails[model.api_model_name] = always(
                402, {"error": {"code": 402, "message": "no credits"}}
            )
        for _ in range(2):
            assert (await there.ask()).status_code == 429


@pytest.mark.parametrize("stream", [False, True])
async def test_over_the_daily_limit_a_paid_model_answers_within_the_budget_of_auto(
    tmp_path: Path, stream: bool
) -> None:
    async with stand(tmp_path, "openrouter", "openai") as there:
        limited(there, reset=time.time() + 5 * 3600)
        for _ in range(2):
            answer = await there.ask(stream=stream)
            assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, OPENAI)
            assert "AUTO_BUDGET_USD_PER_DAY" in answer.headers["x-gateway-notice"]
        assert there.gateway.budgets.auto.spent_usd > 0


async def test_a_spent_budget_of_auto_is_a_429_until_midnight_and_models_by_name_go_on(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        assert (await there.ask()).status_code == 200
        spent = float(there.gateway.budgets.auto.spent_usd)
        await there.http.put("/v1/config", json={"autoBudgetUsdPerDay": round(spent, 9)})
        answer = await there.ask()
        assert (answer.status_code, error_of(answer)["code"]) == (429, "budget_exceeded")
        assert "AUTO_BUDGET_USD_PER_DAY" in error_of(answer)["error"]
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        assert (await there.ask(model=OPENAI)).status_code == 200
        assert (await there.ask(gateway={"maxLayer": "L1"})).status_code == 200


async def test_other_budgets_and_caps_hold_beside_that_of_auto(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai", budget_usd_per_day="0.000001") as there:
        answer = await there.ask()
        assert (answer.status_code, error_of(answer)["details"]["budget"]["id"]) == (429, "settings-day")
        assert (await there.ask(gateway={"budgetUsd": 0.0000001})).status_code == 429
        assert not there.openai.seen or all("chat" not in seen.path for seen in there.openai.seen)


async def test_only_what_auto_spends_counts_against_its_budget(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        await there.ask(model=OPENAI)
        await there.ask(gateway={"maxLayer": "L1"})
        assert there.gateway.budgets.auto.spent_usd == 0
        cost = (await there.ask()).headers["x-gateway-cost-usd"]
        assert float(there.gateway.budgets.auto.spent_usd) == float(cost) > 0


async def test_what_auto_spent_is_known_after_a_restart(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        await there.ask()
        spent = there.gateway.budgets.auto.spent_usd
    async with stand(tmp_path, "openai") as again:
        assert again.gateway.budgets.auto.spent_usd == spent > 0


async def test_callers_cannot_mark_requests_as_those_of_auto(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        answer = await there.ask(gateway={"tags": {"gateway.auto": "paid"}})
        assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_request")


async def test_the_budget_of_auto_is_changed_live(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        assert (await there.http.put("/v1/config", json={"autoBudgetUsdPerDay": 0})).status_code == 200
        assert (await there.ask()).status_code == 400
        assert (await there.http.put("/v1/config", json={"autoBudgetUsdPerDay": 0.5})).status_code == 200
        assert (await there.ask()).status_code == 200
        budgets = (await there.http.get("/v1/budgets")).json()["budgets"]
        assert [(budget["id"], budget["appliesTo"], budget["limitUsd"]) for budget in budgets] == [
            ("settings-auto", "auto", 0.5)
        ]
        refused = await there.http.put("/v1/budgets/settings-auto", json={"limitUsd": 1})
        assert refused.status_code == 409
        assert "PUT /v1/config (autoBudgetUsdPerDay)" in error_of(refused)["error"]


async def test_a_conversation_stays_with_its_paid_model(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai", "anthropic") as there:
        first = await there.ask(gateway={"session": "s"})
        assert first.headers["x-gateway-model"] == OPENAI
        there.openai.fails["gpt-6-luna"] = always(500, {"error": {"message": "down"}})
        assert (await there.ask(gateway={"session": "s"})).headers["x-gateway-model"] == ANTHROPIC
        there.openai.fails.clear()
        assert (await there.ask(gateway={"session": "s"})).headers["x-gateway-model"] == ANTHROPIC


async def test_a_named_local_server_that_is_away_is_a_503_that_says_so(tmp_path: Path) -> None:
    async with stand(tmp_path, oss_model_endpoint="http://127.0.0.1:9/v1") as there:
        answer = await there.ask()
        assert (answer.status_code, error_of(answer)["code"]) == (503, "no_model_available")
        assert "OSS_MODEL_ENDPOINT" in error_of(answer)["error"]


async def test_health_names_what_auto_uses_and_may_spend(tmp_path: Path) -> None:
    async with stand(tmp_path, "openrouter", "openai") as there:
        told = (await there.http.get("/health")).json()["auto"]
        assert told == {"simple": FREE, "hard": OPENAI, "budgetUsdPerDay": 1}


async def test_the_banner_names_what_auto_uses_and_the_setting_that_changes_it(tmp_path: Path) -> None:
    key = {"OPENAI_API_KEY": "sk-oa", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    async with serving(tmp_path / "data", **key) as there:
        said = " ".join(there.said.split())
        assert "Answers come from gpt-6-luna (openai, layer L1)" in said
        assert 'Hard questions gpt-6-luna (openai, layer L1), with quality "high"' in said
        assert "up to $1.00 a day where no free model can answer (AUTO_BUDGET_USD_PER_DAY)" in said


async def test_two_processes_keep_the_budget_of_auto_together(tmp_path: Path, redis_server: RedisServer) -> None:
    shared = {"redis_url": redis_server.url}
    async with (
        stand(tmp_path, "openai", **shared) as one,
        stand(tmp_path, "openai", **shared) as two,
    ):
        cost = float((await one.ask()).headers["x-gateway-cost-usd"])
        for there in (one, two):
            await there.http.put("/v1/config", json={"autoBudgetUsdPerDay": round(cost * 10, 9)})
        answers = await asyncio.gather(*(there.ask() for _ in range(20) for there in (one, two)))
        codes = {answer.status_code for answer in answers}
        assert codes == {200, 429}
        good = sum(answer.status_code == 200 for answer in answers) + 1
        assert good <= 10
        await until(lambda: float(one.gateway.budgets.auto.spent_usd) == pytest.approx(good * cost))


CANNOT = [
    ("agent", 400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "tools"),
    ("agent", 500, "tools param requires --jinja flag", "tools"),
    ("agent", 404, "No endpoints found that support tool use.", "tools"),
    ("image", 400, "At most 0 image(s) may be provided in one request.", "vision"),
    ("image", 500, "image input is not supported - hint: you may need to provide the mmproj", "vision"),
]


@pytest.mark.parametrize(("what", "status", "sentence", "ability"), CANNOT)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_local_model_cannot_do_is_learned_from_its_answer_and_kept(
    tmp_path: Path, what: str, status: int, sentence: str, ability: str, stream: bool
) -> None:
    async with stand(tmp_path, "local", "openai") as there:
        there.local.fails["scripted-local"] = always(status, {"error": {"message": sentence}})
        answer = await there.ask(what, stream=stream)
        assert (answer.headers["x-gateway-model"], answer.headers["x-gateway-attempts"]) == (OPENAI, "2")
        there.local.fails.clear()
    async with stand(tmp_path, "local", "openai") as again:
        known = (await again.http.get(f"/v1/models/{LOCAL}")).json()["capabilities"]
        assert known[ability] is False
        assert known["vision" if ability == "tools" else "tools"] is None


async def test_what_no_model_turns_out_to_do_is_a_400_with_the_servers_sentence(tmp_path: Path) -> None:
    async with stand(tmp_path, "local") as there:
        sentence = "tools param requires --jinja flag"
        there.local.fails["scripted-local"] = always(500, {"error": {"message": sentence}})
        answer = await there.ask("agent")
        assert (answer.status_code, error_of(answer)["code"]) == (400, "provider_model_unable")
        assert sentence in error_of(answer)["error"]
        await there.gateway.registry.aclose()
        assert error_of(await there.ask("agent"))["code"] == "no_suitable_model"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_calls_a_tool_is_known_to_do_so(tmp_path: Path, stream: bool) -> None:
    async with stand(tmp_path, "local", local_model="scripted-tool") as there:
        answer = await there.ask("agent", stream=stream)
        assert answer.headers["x-gateway-model"] == "oss-local/scripted-tool"
        await there.gateway.registry.aclose()
        assert (await there.http.get("/v1/models/oss-local/scripted-tool")).json()["capabilities"]["tools"] is True


async def test_a_model_that_no_local_server_lists_is_told_so(tmp_path: Path) -> None:
    async with stand(tmp_path, "local") as there:
        body = {"id": "oss-local/other", "provider": "oss-local", "apiModelName": "other", "layer": "L0"}
        assert (await there.http.post("/v1/models", json=body)).status_code == 201
        answer = await there.ask(model="oss-local/other")
        assert answer.status_code == 503
        assert "lists 'other'" in error_of(answer)["error"]
        assert "scripted-local" in error_of(answer)["error"]


@pytest.mark.parametrize("have", [("openrouter",), ("openrouter", "openai", "anthropic", "local")])
async def test_a_hard_proof_with_high_quality_goes_to_a_paid_model(tmp_path: Path, have: tuple[str, ...]) -> None:
    hard = (
        "Prove that for every prime p > 3 the number p^2 - 1 is divisible by 24, then generalise to p^4 - 1 and 240, "
        "give a full proof by cases and determine all n for which a^n - 1 has this property for every a coprime to 240."
    )
    async with stand(tmp_path, *have) as there:
        answer = await there.ask("proof", messages=[{"role": "user", "content": hard}], gateway={"quality": "high"})
        assert (answer.status_code, answer.headers["x-gateway-layer"]) == (200, "L1")


async def test_what_does_not_fit_a_local_window_goes_to_a_paid_model_or_is_an_overflow(tmp_path: Path) -> None:
    small = {"contextWindow": 32_768}
    async with stand(tmp_path / "alone", "local") as alone:
        await alone.http.put(f"/v1/models/{LOCAL}", json=small)
        answer = await alone.ask("agent")
        assert (answer.status_code, error_of(answer)["code"]) == (400, "context_length_exceeded")
    async with stand(tmp_path / "paid", "local", "openai") as there:
        await there.http.put(f"/v1/models/{LOCAL}", json=small)
        answer = await there.ask("agent")
        assert (answer.status_code, answer.headers["x-gateway-model"]) == (200, OPENAI)


async def test_a_replay_knows_the_budget_of_auto(tmp_path: Path) -> None:
    async with stand(tmp_path, "openai") as there:
        await there.ask()
        same = (await there.http.post("/v1/replay", json={"policy": {}})).json()
        without = (await there.http.post("/v1/replay", json={"policy": {"autoBudgetUsdPerDay": 0}})).json()
        assert (same["requests"], same["changed"]) == (1, 0)
        assert (without["changed"], without["unanswerable"]) == (1, 1)
