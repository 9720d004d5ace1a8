"""Where a chat would go, over HTTP; what is told must be what then happens, and nobody is asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.domain.models import Model
from tests.support.http_gateway import Surface, surface, without_models
from tests.support.http_stack import error_of
from tests.support.redis_servers import RedisServer

EXPLAIN = "/v1/route/explain"
CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}
PRICED = {"price_per_1k_input_tokens": "0.001", "price_per_1k_output_tokens": "0.002"}
FREE = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Surface]:
    async with surface(tmp_path, spend_guard=False) as found:
        for model in found.gateway.registry.snapshot.models.values():
            await found.gateway.registry.delete(model.id)
        yield found


async def add(here: Surface, name: str, *, layer: Any = "L0", priority: int = 0, **more: Any) -> Model:
    facts = {"id": name, "provider": "openai", "api_model_name": name, "layer": layer, "priority": priority}
    return await here.gateway.registry.add(Model.model_validate({**facts, **(more or PRICED)}))


def _chats(here: Surface) -> int:
    """How many chats have reached the provider, which is also asked for its models now and then."""
    return sum(seen.path.endswith("/chat/completions") for seen in here.provider.seen)


async def explained(here: Surface, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    chats = _chats(here)
    answer = await here.http.post(EXPLAIN, json={**HELLO, **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert _chats(here) == chats
    return dict(answer.json())


async def chat(here: Surface, **body: Any) -> httpx.Response:
    return await here.http.post(CHAT, json={**HELLO, **body})


def ids(found: dict[str, Any]) -> list[str]:
    return [candidate["id"] for candidate in found["attempts"]]


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["reason"] for item in found["dropped"]}


async def test_the_plan_comes_with_prices_costs_and_reasons(here: Surface) -> None:
    await add(here, "scripted-n3")
    await add(here, "scripted-n2", priority=1, **FREE)
    await add(here, "scripted-n9", priority=2, enabled=False, **PRICED)
    await add(here, "scripted-n1", layer="L1")
    found = await explained(here, max_tokens=100)
    assert ids(found) == ["scripted-n3", "scripted-n2"]
    assert found["firstChoice"] == "scripted-n3"
    assert reasons(found) == {"scripted-n9": "the model is turned off"}
    first, second = found["attempts"]
    assert (first["pricePer1mInputTokens"], first["pricePer1mOutputTokens"]) == (1.0, 2.0)
    tokens = found["facts"]["promptTokens"]
    assert first["expectedCostUsd"] == pytest.approx((tokens + 200) / 1_000_000)
    assert first["mostCostUsd"] == pytest.approx((found["facts"]["promptTokensAtMost"] + 200) / 1_000_000)
    assert (second["expectedCostUsd"], second["mostCostUsd"]) == (0, 0)
    assert (first["keys"], first["coolingSeconds"], first["inTroubleLately"]) == (1, 0, False)
    assert first["secondsP95"] is None
    assert found["policy"]["highestLayer"] == "L0"
    assert "scripted-n3 in L0 would be asked first (about $0.0002" in found["summary"]
    assert "then 1 other until one answers; 1 left out." in found["summary"]
    assert (await chat(here)).headers["x-gateway-model"] == found["firstChoice"]


async def test_what_is_known_of_the_request_is_told(here: Surface) -> None:
    await add(here, "scripted", **PRICED, capabilities={"tools": False})
    found = await explained(
        here,
        messages=[{"role": "user", "content": "Fix this:\n```\nx=\n```"}],
        tools=[{"type": "function", "function": {"name": "f"}}],
        response_format={"type": "json_object"},
        user="ann",
    )
    facts = found["facts"]
    assert facts["needs"] == ["tools", "jsonSchema", "code"]
    assert facts["conversation"] == {"known": True, "answers": 0, "staysWith": None}
    complexity = facts["complexity"]
    assert complexity["counts"] is False
    assert 0 <= complexity["score"] <= 1
    assert complexity["features"]["fenced"] == 1
    assert reasons(found) == {"scripted": "it cannot call tools"}
    assert found["firstChoice"] is None
    assert found["summary"].startswith("Nobody would be asked: No available model can take this request (scripted: it")


async def test_it_depends_on_the_estimate_only_where_high_quality_is_wished(here: Surface) -> None:
    await add(here, "scripted")
    found = await explained(here, gateway={"quality": "high"})
    assert found["facts"]["complexity"]["counts"] is True


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Hello there, how are you?", "scripted-n0"),
        ("What is the capital of France?", "scripted-n0"),
        ("Write a haiku about autumn.", "scripted-n0"),
        ("Find the sum of all real numbers $x$ such that $\\lfloor x \\rfloor + \\lfloor 2x \\rfloor = 5x - 3$.", "scripted-n1"),
        ("Given an array of n integers and q queries, print the number of distinct values in each subarray. n <= 10^5.", "scripted-n1"),
        ("Entwirf einen verteilten Rate-Limiter mit Redis, Ausfallsicherheit und fairen Warteschlangen", "scripted-n1"),
    ],
)  # fmt: skip
async def test_high_quality_begins_higher_for_what_is_hard(here: Surface, text: str, first: str) -> None:
    await add(here, "scripted-n0")
    await add(here, "scripted-n1", layer="L1")
    asked = {"messages": [{"role": "user", "content": text}], "gateway": {"quality": "high"}}
    found = await explained(here, **asked)
    assert found["firstChoice"] == first
    assert (found["facts"]["complexity"]["hardness"] >= 0.5) == (first == "scripted-n1")


async def test_a_model_that_cools_is_last_and_says_why(here: Surface) -> None:
    await add(here, "scripted-e503")
    await add(here, "scripted-e429-ra60", priority=1)
    await add(here, "scripted", priority=2)
    assert (await chat(here)).status_code == 200
    found = await explained(here)
    assert found["firstChoice"] == "scripted"
    *_, last = found["attempts"]
    assert last["id"] == "scripted-e503"
    assert 0 < last["coolingSeconds"] < 60
    assert last["coolingReason"] == "provider_overloaded"
    assert last["inTroubleLately"] is True
    assert "it is cooling down for another" in reasons(found)["scripted-e429-ra60"]


async def test_when_everybody_cools_the_summary_says_so(here: Surface) -> None:
    await add(here, "scripted-e429-ra60")
    assert (await chat(here)).status_code == 429
    assert "although it is cooling down for another" in (await explained(here))["summary"]


async def test_a_conversation_stays_with_its_model_and_asking_changes_nothing(here: Surface) -> None:
    await add(here, "scripted-n3")
    await explained(here, user="ann")
    assert (await explained(here, user="ann"))["facts"]["conversation"]["staysWith"] is None
    assert (await chat(here, user="ann")).headers["x-gateway-model"] == "scripted-n3"
    found = await explained(here, user="ann")
    assert found["facts"]["conversation"]["staysWith"] == "scripted-n3"
    assert "which the conversation is with" in found["summary"]


async def test_budgets_that_bind_are_told_and_not_touched(here: Surface) -> None:
    await add(here, "scripted")
    made = await here.http.post("/v1/budgets", json={"limitUsd": 0.0000001, "period": "day"})
    assert made.status_code in (200, 201), made.text
    other = {"appliesTo": "tag", "tag": {"name": "team", "value": "x"}, "limitUsd": 5}
    assert (await here.http.post("/v1/budgets", json=other)).status_code in (200, 201)
    found = await explained(here)
    assert [(budget["whose"], budget["leftUsd"]) for budget in found["budgets"]] == [("everybody", 0.0000001)]
    assert found["leftUsd"] == 0.0000001
    assert "its budget leaves $0.000000" in reasons(found)["scripted"]
    standing = (await here.http.get("/v1/budgets")).json()["budgets"][0]
    assert (standing["reservedUsd"], standing["spentUsd"]) == (0, 0)
    tagged = await explained(here, gateway={"tags": {"team": "x"}, "budgetUsd": 0.00000001})
    assert len(tagged["budgets"]) == 2
    assert tagged["leftUsd"] == 0.00000001


async def test_a_short_budget_bounds_the_most_it_may_cost(here: Surface) -> None:
    await add(here, "scripted")
    found = await explained(here, gateway={"budgetUsd": 0.005})
    assert 0 < found["attempts"][0]["mostCostUsd"] <= 0.005


async def test_every_candidate_is_there_however_many(here: Surface) -> None:
    for number in range(40):
        await add(here, f"scripted-{number}", priority=number)
    found = await explained(here)
    assert len(ids(found)) == len(set(ids(found))) == 40
    assert ids(found)[:2] == ["scripted-0", "scripted-1"]


async def test_options_in_headers_count_as_for_a_chat(here: Surface) -> None:
    await add(here, "scripted")
    await add(here, "scripted-n1", layer="L1")
    found = await explained(here, {"X-Gateway-Options": '{"maxLayer": "L1"}', "X-Gateway-Session": "s1"})
    assert ids(found) == ["scripted", "scripted-n1"]
    assert found["facts"]["conversation"]["known"] is True


async def test_a_body_as_large_as_a_chats_is_taken(here: Surface) -> None:
    await add(here, "scripted")
    large = "x" * (here.gateway.settings.max_body_bytes + 10)
    found = await explained(here, messages=[{"role": "user", "content": large}])
    assert found["facts"]["promptTokens"] > len(large) / 5


async def test_an_unknown_model_is_answered_as_by_a_chat(here: Surface) -> None:
    await add(here, "scripted")
    told = [error_of(await here.http.post(path, json={**HELLO, "model": "scriptd"})) for path in (EXPLAIN, CHAT)]
    assert {error["code"] for error in told} == {"model_not_found"}
    assert told[0]["details"] == told[1]["details"] == {"nearest": ["scripted"]}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b'{"messages": NaN}', "application/json", 400),
        (b'{"messages": ' + b"[" * 500 + b"]" * 500 + b"}", "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b'{"x": "' + b"x" * 17 * 1024 * 1024 + b'"}', "application/json", 413),
    ],
    ids=["malformed", "a list", "NaN", "deep", "a form", "too large"],
)
async def test_what_is_no_json_of_a_chat_is_refused(here: Surface, body: bytes, kind: str, status: int) -> None:
    answer = await here.http.post(EXPLAIN, content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert error_of(answer)["error"]


async def test_fields_of_a_chat_that_we_do_not_know_are_let_through(here: Surface) -> None:
    await add(here, "scripted")
    assert (await explained(here, some_new_field={"x": 1}))["firstChoice"] == "scripted"


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "messages"), ({**HELLO, "gateway": {"maxLayer": "L9"}}, "gateway.maxLayer"), ({"messages": []}, "messages")],
)
async def test_bad_input_is_named(here: Surface, body: dict[str, Any], field: str) -> None:
    answer = await here.http.post(EXPLAIN, json=body)
    assert answer.status_code == 400
    assert error_of(answer)["details"]["fields"][0]["field"] == field


async def test_it_needs_the_scope_of_a_chat(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as here:
        token = await here.login()
        made = await here.http.post(
            "/v1/keys", json={"name": "k", "scopes": ["models:read"]}, headers={"authorization": f"Bearer {token}"}
        )
        key = {"x-api-key": made.json()["secret"]}
        refused = await here.http.post(EXPLAIN, json=HELLO, headers=key)
        nobody = await here.http.post(EXPLAIN, json=HELLO)
    assert refused.status_code == 403
    assert nobody.status_code == 401


async def test_what_a_key_may_not_use_is_told_as_by_a_chat(here: Surface) -> None:
    await add(here, "scripted")
    await add(here, "scripted-n1", layer="L1")
    for bound, name in (({"maxLayer": "L0"}, "scripted-n1"), ({"models": ["scripted-n1"]}, "scripted")):
        made = await here.http.post("/v1/keys", json={"name": "k", "scopes": ["chat"], **bound})
        key = {"x-api-key": made.json()["secret"]}
        refused = await here.http.post(CHAT, json={**HELLO, "model": name}, headers=key)
        assert (refused.status_code, error_of(refused)["code"]) == (403, "key_limit")
        found = await explained(here, key, model=name)
        assert (found["firstChoice"], found["attempts"]) == (None, [])
        assert found["summary"] == f"Nobody would be asked: {error_of(refused)['error']}"


async def test_a_conversation_that_another_process_has_begun_is_known(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with surface(tmp_path, redis_url=redis_server.url) as one:
        await without_models(one)
        await add(one, "scripted-e503-first1")
        await add(one, "scripted-n3", priority=1)
        assert (await chat(one, user="ann")).headers["x-gateway-model"] == "scripted-n3"
    async with surface(tmp_path, redis_url=redis_server.url) as other:
        assert (await explained(other, user="bob"))["firstChoice"] == "scripted-e503-first1"
        found = await explained(other, user="ann")
        assert (found["firstChoice"], found["facts"]["conversation"]["staysWith"]) == ("scripted-n3", "scripted-n3")
        assert (await chat(other, user="ann")).headers["x-gateway-model"] == "scripted-n3"
