"""How requests were routed, and would be, over HTTP."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.support.decisions import ANNA, asked, decided
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_stack import error_of

CHAT = "/v1/chat/completions"
SECRET = "what I would not tell anybody"
HELLO: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": SECRET}]}
PRICED = {**MODEL, "pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2}
DEARER = {**PRICED, "id": "scripted/dearer", "layer": "L1", "pricePer1kInputTokens": 10, "pricePer1kOutputTokens": 20}


async def chat(here: Surface, **headers: str) -> str:
    """The id of a request that was answered."""
    await here.http.post("/v1/models", json=PRICED)
    answer = await here.http.post(CHAT, json=HELLO, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-request-id"])


async def key(here: Surface, *scopes: str) -> dict[str, str]:
    made = await here.http.post("/v1/keys", json={"name": "k", "scopes": [*scopes]})
    assert made.status_code == 201, made.text
    return {"authorization": f"Bearer {made.json()['secret']}"}


async def replay(here: Surface, policy: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await here.http.post("/v1/replay", json={"policy": policy, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_decision_says_how_a_request_was_routed_and_nothing_of_its_text(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        request_id = await chat(here)
        answer = await here.http.get(f"/v1/decisions/{request_id}")
        assert SECRET not in answer.text
        found = answer.json()
        assert (found["requestId"], found["caller"], found["text"]) == (request_id, "local", None)
        decision = found["decision"]
        assert (decision["outcome"], decision["model"]) == ("ok", MODEL["id"])
        assert [call["outcome"] for call in decision["calls"]] == ["ok"]
        assert decision["policy"]["default_layer"] == "L0"


async def test_messages_are_kept_where_the_operator_wants_them(tmp_path: Path) -> None:
    async with surface(tmp_path, decision_text=True) as here:
        found = (await here.http.get(f"/v1/decisions/{await chat(here)}")).json()
        assert SECRET in found["text"]


async def test_a_request_that_nobody_could_take_has_a_decision_too(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        await here.http.put("/v1/layers/L3/toggle", json={"enabled": False})
        refused = await here.http.post(CHAT, json={**HELLO, "model": "L3"})
        assert refused.status_code == 503
        found = (await here.http.get(f"/v1/decisions/{refused.headers['x-request-id']}")).json()
        assert found["decision"]["outcome"] == "no_model_available"
        unknown = await here.http.post(CHAT, json={**HELLO, "model": "nobody"})
        answer = await here.http.get(f"/v1/decisions/{unknown.headers['x-request-id']}")
        assert answer.status_code == 404, "nothing was decided"


async def test_callers_see_their_own_and_administrators_all(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        anna, bert, reader = await key(here, "chat"), await key(here, "chat"), await key(here, "models:read")
        request_id = await chat(here, **anna)

        async def seen(headers: dict[str, str]) -> httpx.Response:
            return await here.http.get(f"/v1/decisions/{request_id}", headers=headers)

        assert (await seen(anna)).status_code == 200
        assert (await seen({})).status_code == 200
        assert error_of(await seen(bert))["details"] == {"requestId": request_id}
        assert (await seen(reader)).status_code == 403


async def test_old_decisions_are_forgotten_by_themselves(tmp_path: Path) -> None:
    async with surface(tmp_path, decision_days=3650) as here:
        now = here.gateway.clock()
        for age in (40, 0):
            caller = replace(ANNA, request_id=f"{age} days old")
            here.gateway.decisions.record(decided(asked(), [], [], caller=caller, at=now - timedelta(days=age)))
    async with surface(tmp_path, decision_days=30) as here, asyncio.timeout(5):
        while (await here.http.get("/v1/decisions/40 days old")).status_code != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await here.http.get("/v1/decisions/0 days old")).status_code == 200


async def test_without_decisions_it_says_why(tmp_path: Path) -> None:
    async with surface(tmp_path, decision_days=0) as here:
        answer = await here.http.get(f"/v1/decisions/{await chat(here)}")
        assert answer.status_code == 404
        assert "DECISION_DAYS is 0" in error_of(answer)["error"]
        assert (await replay(here, {}))["requests"] == 0


async def test_a_replay_tells_what_another_policy_would_have_done(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        await here.http.post("/v1/models", json=DEARER)
        for _ in range(3):
            last = await chat(here)
        same = await replay(here, {})
        assert (same["requests"], same["changed"], same["groups"]) == (3, 0, [])
        assert same["cost"]["thenUsd"] == same["cost"]["nowUsd"] > 0
        found = await replay(here, {"layers": {"L0": {"enabled": False}}, "defaultLayer": "L1", "models": ONLY_DEARER})
        assert (found["changed"], found["unanswerable"], found["more"]) == (3, 0, False)
        (group,) = found["groups"]
        assert (group["then"], group["now"], group["requests"]) == (MODEL["id"], DEARER["id"], 3)
        assert round(found["cost"]["nowUsd"] / found["cost"]["thenUsd"], 6) == 10
        assert found["examples"][0]["requestId"] == last
        assert here.gateway.registry.snapshot.layer_enabled["L0"], "nothing is changed"


ONLY_DEARER = {DEARER["id"]: {"priority": 0}, "openai/gpt-6-luna": {"enabled": False}}


async def test_a_replay_takes_the_newest_of_a_span(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        for _ in range(3):
            await chat(here)
        assert (await replay(here, {}, limit=2))["more"] is True
        assert (await replay(here, {}, limit=3))["more"] is False
        assert (await replay(here, {}, to="2020-01-01"))["requests"] == 0
        assert (await replay(here, {}, **{"from": "2020-01-01"}))["requests"] == 3
        wrong = await here.http.post("/v1/replay", json={"policy": {}, "from": "2020-01-02", "to": "2020-01-01"})
        assert wrong.status_code == 400


async def test_a_wrong_policy_names_every_problem(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        answer = await here.http.post("/v1/replay", json={"policy": {"defaultLayr": "L1", "layers": {"L9": {}}}})
        assert answer.status_code == 400
        fields = error_of(answer)["details"]["fields"]
        assert [found["field"] for found in fields] == ["defaultLayr", "layers.L9"]


async def test_a_replay_is_for_administrators(tmp_path: Path) -> None:
    async with surface(tmp_path) as here:
        answer = await here.http.post("/v1/replay", json={"policy": {}}, headers=await key(here, "chat"))
        assert answer.status_code == 403
