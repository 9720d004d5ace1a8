import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_gateway import MODEL, Surface, surface, without_models
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

SAYING = {"model": "scripted/scripted", "messages": [{"role": "user", "content": "hello"}]}


async def test_the_life_of_a_budget(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        created = await http.post("/v1/budgets", json={"limitUsd": 0.5, "period": "day"})
        assert created.status_code == 201
        budget = created.json()["budget"]
        assert created.json()["success"] is True
        assert {name: budget[name] for name in ("appliesTo", "period", "limitUsd", "spentUsd", "reservedUsd")} == {
            "appliesTo": "all",
            "period": "day",
            "limitUsd": 0.5,
            "spentUsd": 0,
            "reservedUsd": 0,
        }
        assert budget["leftUsd"] == 0.5
        assert budget["resetsAt"].endswith("T00:00:00.000Z")
        changed = await http.put(f"/v1/budgets/{budget['id']}", json={"limitUsd": 0})
        assert (changed.json()["budget"]["limitUsd"], changed.json()["budget"]["period"]) == (0, "day")
        listed = await http.get("/v1/budgets")
        assert [found["id"] for found in listed.json()["budgets"]] == [budget["id"]]
        deleted = await http.delete(f"/v1/budgets/{budget['id']}")
        assert deleted.json() == {"success": True, "budgetId": budget["id"]}
        assert (await http.get("/v1/budgets")).json() == {"budgets": []}
        gone = await http.delete(f"/v1/budgets/{budget['id']}")
        assert (gone.status_code, gone.json()["code"]) == (404, "budget_not_found")


async def test_a_second_budget_of_the_same_kind_is_refused_and_the_first_one_named(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        first = (await made.http.post("/v1/budgets", json={"limitUsd": 1})).json()["budget"]
        again = await made.http.post("/v1/budgets", json={"limitUsd": 5})
        assert (again.status_code, again.json()["code"]) == (409, "budget_exists")
        assert f"PUT /v1/budgets/{first['id']}" in again.json()["error"]
        assert again.json()["details"] == {"budgetId": first["id"]}
        assert [found["limitUsd"] for found in (await made.http.get("/v1/budgets")).json()["budgets"]] == [1]


async def test_a_total_that_is_used_up_does_not_say_when_to_come_again(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/budgets", json={"limitUsd": 0.000001, "period": "total"})
        body = {"model": "openai/gpt-6-astra", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}
        refused = await made.http.post("/v1/chat/completions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "budget_exceeded")
        assert "retry-after" not in refused.headers
        assert "name layer L0" in refused.json()["error"]


async def test_budgets_of_the_settings_are_there_and_stay(tmp_path: Path) -> None:
    limits = {"budget_usd_per_day": 0, "budget_usd_per_month": "12.5", "budget_usd_total": 100}
    async with surface(tmp_path, **limits) as made:
        listed = (await made.http.get("/v1/budgets")).json()["budgets"]
        assert [(found["id"], found["limitUsd"], found["source"]) for found in listed] == [
            ("settings-day", 0, "settings"),
            ("settings-month", 12.5, "settings"),
            ("settings-total", 100, "settings"),
        ]
        assert listed[2]["resetsAt"] is None
        for answer in (
            await made.http.delete("/v1/budgets/settings-day"),
            await made.http.put("/v1/budgets/settings-day", json={"limitUsd": 1}),
        ):
            assert answer.status_code == 409
            assert "BUDGET_USD_PER_DAY" in answer.json()["error"]


async def test_a_key_sees_what_binds_it_and_changes_nothing(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        http, admin = made.http, {"authorization": f"Bearer {await made.login()}"}
        keys = [
            (await http.post("/v1/keys", json={"name": name, "budgetUsd": 0.25}, headers=admin)).json()
            for name in ("one", "two")
        ]
        everybody = (await http.post("/v1/budgets", json={"limitUsd": 1}, headers=admin)).json()["budget"]
        tag = {"limitUsd": 1, "appliesTo": "tag", "tag": {"name": "team", "value": "a"}}
        assert (await http.post("/v1/budgets", json=tag, headers=admin)).status_code == 201
        own = {"authorization": f"Bearer {keys[0]['secret']}"}
        seen = (await http.get("/v1/budgets", headers=own)).json()["budgets"]
        assert [found["id"] for found in seen] == [everybody["id"], keys[0]["key"]["id"]]
        assert (seen[1]["keyId"], seen[1]["limitUsd"], seen[1]["source"]) == (keys[0]["key"]["id"], 0.25, "key")
        assert len((await http.get("/v1/budgets", headers=admin)).json()["budgets"]) == 4
        for answer in (
            await http.post("/v1/budgets", json={"limitUsd": 1}, headers=own),
            await http.put(f"/v1/budgets/{everybody['id']}", json={"limitUsd": 5}, headers=own),
            await http.delete(f"/v1/budgets/{everybody['id']}", headers=own),
        ):
            assert answer.status_code == 403
        assert (await http.get("/v1/budgets")).status_code == 401
        refused = await http.delete(f"/v1/budgets/{keys[1]['key']['id']}", headers=admin)
        assert refused.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"limitUsd": -1},
        {"limitUsd": "much"},
        {"limitUsd": 1e9},
        {"limitUsd": 1e-12},
        {"limitUsd": True},
        {"limitUsd": 1, "period": "week"},
        {"limitUsd": 1, "appliesTo": "key"},
        {"limitUsd": 1, "appliesTo": "tag"},
        {"limitUsd": 1, "appliesTo": "all", "keyId": "key-1"},
        {"limitUsd": 1, "appliesTo": "key", "keyId": "key-nowhere"},
        {"limitUsd": 1, "appliesTo": "key", "keyId": "k", "tag": {"name": "a", "value": "b"}},
        {"limitUsd": 1, "appliesTo": "tag", "tag": {"name": "", "value": "b"}},
        {"limitUsd": 1, "appliesTo": "tag", "tag": {"name": 'a"b', "value": "b"}},
        {"limitUsd": 1, "appliesTo": "tag", "tag": "a=b"},
        {"limitUsd": 1, "spentUsd": 0},
    ],
)
async def test_malformed_budgets_are_bad_input(tmp_path: Path, body: dict[str, Any]) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.post("/v1/budgets", json=body)
        assert answer.status_code == 400, answer.text
        assert (await made.http.get("/v1/budgets")).json() == {"budgets": []}


async def test_changes_of_budgets_are_in_the_audit_trail(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        http = made.http
        budget = (await http.post("/v1/budgets", json={"limitUsd": 0.1})).json()["budget"]
        await http.put(f"/v1/budgets/{budget['id']}", json={"limitUsd": 0.000001})
        await http.delete(f"/v1/budgets/{budget['id']}")
        entries = (await http.get("/v1/audit")).json()["entries"]
        assert [(entry["action"], entry["details"]) for entry in reversed(entries)] == [
            ("create_budget", {"appliesTo": "all", "period": "month", "limitUsd": "0.10"}),
            ("update_budget", {"budgetId": budget["id"], "limitUsd": "0.000001"}),
            ("delete_budget", {"budgetId": budget["id"]}),
        ]


PRICED = {"pricePer1kInputTokens": 0.001, "pricePer1kOutputTokens": 0.01}


async def test_parallel_requests_wait_for_money_that_others_only_hold(tmp_path: Path) -> None:
    async with surface(tmp_path, budget_wait=30, budget_usd_per_day="0.05") as made:
        await made.http.post("/v1/models", json={**MODEL, **PRICED})
        asked = {**SAYING, "max_tokens": 2000}  # up to $0.02 each, and $0.0001 in the end
        answers = await asyncio.gather(
            *(made.http.post("/v1/chat/completions", json={**asked, "stream": stream}) for stream in [False, True] * 10)
        )
        assert {answer.status_code for answer in answers} == {200}
        (budget,) = [one for one in (await made.http.get("/v1/budgets")).json()["budgets"] if one["limitUsd"] == 0.05]
        assert budget["reservedUsd"] == 0
        assert 0 < budget["spentUsd"] < 0.05


async def test_of_120_parallel_requests_all_are_answered_within_the_budget(tmp_path: Path) -> None:
    """Each may cost $0.0205 and comes to $0.0001: at most four can hold money at once, and the others wait."""
    async with surface(tmp_path, budget_wait=60, budget_usd_per_day="0.1") as made:
        await made.http.post("/v1/models", json={**MODEL, **PRICED})
        asked = {**SAYING, "max_tokens": 2000}
        answers = await asyncio.gather(
            *(made.http.post("/v1/chat/completions", json={**asked, "stream": stream}) for stream in [False, True] * 60)
        )
        assert [answer.status_code for answer in answers] == [200] * 120
        (budget,) = [one for one in (await made.http.get("/v1/budgets")).json()["budgets"] if one["limitUsd"] == 0.1]
        assert budget["reservedUsd"] == 0
        assert 0 < budget["spentUsd"] < 0.1


async def test_what_is_held_is_the_prompt_and_an_answer_that_fits_the_window(tmp_path: Path) -> None:
    """32,000 tokens would come to $0.32; into a window of 8,192 go $0.08 at most, and the prompt costs next to nothing."""
    async with surface(tmp_path) as made:
        await without_models(made)
        small = {**MODEL, **PRICED, "layer": "L2", "contextWindow": 8_192}
        await made.http.post("/v1/models", json=small)
        await made.http.post("/v1/budgets", json={"limitUsd": 0.083})
        asked = {"model": "L2", "max_tokens": 32_000, "messages": SAYING["messages"]}
        (planned,) = (await made.http.post("/v1/route/explain", json=asked)).json()["attempts"]
        assert 0.07 < planned["mostCostUsd"] < 0.083
        answer = await made.http.post("/v1/chat/completions", json=asked)
        assert answer.status_code == 200, answer.text
        assert "max_tokens" in answer.headers["x-gateway-notice"]
        assert made.provider.seen[-1].body["max_tokens"] < 8_192


async def test_money_that_is_spent_is_not_waited_for(tmp_path: Path) -> None:
    async with surface(tmp_path, budget_wait=600, budget_usd_per_day="0.01") as made:
        await made.http.post("/v1/models", json={**MODEL, **PRICED})
        answer = await made.http.post("/v1/chat/completions", json={**SAYING, "max_tokens": 2000})
        assert answer.status_code == 429
        assert answer.json()["details"]["heldByOthers"] is False


async def test_the_wait_for_held_money_has_an_end(tmp_path: Path) -> None:
    async with surface(tmp_path, budget_wait=0.2, budget_usd_per_day="0.03") as made:
        for name in ("scripted", "scripted-hang"):
            await made.http.post("/v1/models", json={**MODEL, **PRICED, "id": f"scripted/{name}", "apiModelName": name})
        asked = {**SAYING, "max_tokens": 2000}
        hanging = asyncio.create_task(
            made.http.post("/v1/chat/completions", json={**asked, "model": "scripted/scripted-hang"})
        )
        await until(lambda: any("hang" in str(seen.body) for seen in made.provider.seen))
        answer = await made.http.post("/v1/chat/completions", json=asked)
        assert answer.json()["details"]["heldByOthers"] is True, answer.text
        assert "try again soon" in answer.json()["error"]
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging


async def counted_by(made: Surface) -> str:
    return str((await made.http.get("/health")).json()["budgets"]["countedBy"])


@pytest.mark.parametrize(
    ("setting", "status", "code", "by"),
    [("share", 200, None, "shares"), ("refuse", 503, "budgets_uncounted", "nobody"), ("allow", 200, None, "memory")],
)
async def test_a_chat_that_a_budget_binds_while_redis_is_away(
    tmp_path: Path, redis_server: RedisServer, setting: str, status: int, code: str | None, by: str
) -> None:
    paid = {**MODEL, "id": "mine/paid", "layer": "L2", "pricePer1kInputTokens": 0.001, "pricePer1kOutputTokens": 0.001}
    async with surface(tmp_path, redis_url=redis_server.url, budgets_without_redis=setting) as made:
        await made.http.post("/v1/models", json=paid)
        await made.http.post("/v1/budgets", json={"limitUsd": 1})
        body = {"model": "mine/paid", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
        assert (await made.http.post("/v1/chat/completions", json=body)).status_code == 200
        assert await counted_by(made) == "redis"
        redis_server.kill()
        answer = await made.http.post("/v1/chat/completions", json=body)
        assert (answer.status_code, answer.json().get("code")) == (status, code)
        assert await counted_by(made) == by
        redis_server.start()
        sharing = made.gateway.budgets.sharing
        await until(lambda: sharing is None or sharing.outage.mode == "exact", 20)
        assert (await made.http.post("/v1/chat/completions", json=body)).status_code == 200
