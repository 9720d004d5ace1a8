"""The cache of answers over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.storage.redis_store import RedisStore
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_stack import error_of
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

PATH = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
ON = {"gateway": {"cache": True}}


async def chat(made: Surface, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await made.http.post(PATH, json={**HELLO, **(body or {})}, headers=sent)
    assert answer.status_code == 200, answer.text
    return answer


async def states(made: Surface, count: int, body: dict[str, Any] | None = None, **headers: str) -> list[str]:
    return [(await chat(made, body, **headers)).headers["x-gateway-cache"] for _ in range(count)]


def asked(made: Surface) -> int:
    """How many chats the provider got."""
    return sum(seen.path.endswith("/chat/completions") for seen in made.provider.seen)


async def with_model(made: Surface, **changes: Any) -> None:
    answer = await made.http.post("/v1/models", json={**MODEL, **changes})
    assert answer.status_code == 201, answer.text


async def test_the_second_of_two_is_a_hit_and_costs_nothing(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        first, again = await chat(made), await chat(made)
        assert (first.headers["x-gateway-cache"], again.headers["x-gateway-cache"]) == ("miss", "hit")
        assert "age" not in first.headers
        assert int(again.headers["age"]) < 60
        assert again.headers["x-gateway-attempts"] == "0"
        assert again.headers["x-gateway-model"] == MODEL["id"]
        assert float(again.headers["x-gateway-cost-usd"]) == 0
        assert again.json()["usage"]["cost"] == 0
        assert again.json()["choices"] == first.json()["choices"]
        assert asked(made) == 1


async def test_a_stream_comes_again_as_the_same_events(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        first, again = await chat(made, {"stream": True}), await chat(made, {"stream": True})
        assert again.headers["x-gateway-cache"] == "hit"
        assert again.headers["content-type"] == "text/event-stream; charset=utf-8"
        *events, last, done, _ = first.text.split("\n\n")
        *events_again, last_again, done_again, _ = again.text.split("\n\n")
        assert (events, done) == (events_again, done_again)
        cost = orjson.loads(last.removeprefix("data: "))
        cost["usage"]["cost"] = 0
        assert orjson.loads(last_again.removeprefix("data: ")) == cost
        assert asked(made) == 1


async def test_it_is_off_until_a_request_or_the_configuration_turns_it_on(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await with_model(made)
        assert await states(made, 2) == ["off", "off"]
        assert await states(made, 2, ON) == ["miss", "hit"]
        assert await states(made, 1, x_gateway_options='{"cache": true}') == ["hit"]
        changed = await made.http.put("/v1/config", json={"enableCache": True})
        assert changed.json()["configuration"]["enableCache"] is True
        assert await states(made, 1) == ["hit"]
        assert await states(made, 1, {"gateway": {"cache": False}}) == ["off"]


async def test_requests_with_tools_are_cached_only_when_they_ask_for_it(tmp_path: Path) -> None:
    tools = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made, capabilities={"tools": True})
        assert await states(made, 2, tools) == ["off", "off"]
        assert await states(made, 2, {**tools, **ON}) == ["miss", "hit"]


async def test_cache_control_of_the_client_is_honoured(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        assert await states(made, 2, cache_control="no-store") == ["off", "off"]
        assert await states(made, 1) == ["miss"]
        assert await states(made, 2, cache_control="no-cache") == ["miss", "miss"]
        assert await states(made, 1, cache_control="max-age=0") == ["miss"]
        assert await states(made, 1, cache_control="max-age=3600") == ["hit"]
        assert await states(made, 1, cache_control="only-if-cached") == ["hit"]
        assert await states(made, 1, {"gateway": {"cacheControl": ""}}, cache_control="no-store") == ["hit"]


async def test_any_other_cache_control_is_no_error(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        for header in (b"nonsense", b"max-age=x", b", ,=", b'"', b"x" * 5000, b"\xc3\xa9\xff"):
            answer = await made.http.post(PATH, json=HELLO, headers={b"cache-control": header})
            assert answer.headers["x-gateway-cache"] in ("miss", "hit")
        wrong = await made.http.post(PATH, json={**HELLO, "gateway": []}, headers={"cache-control": "no-store"})
        assert wrong.status_code == 400


async def test_what_is_wanted_only_if_cached_and_is_not_is_504_and_asks_nobody(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await with_model(made)
        for body in ({}, ON, {"stream": True}, {"stream": True, **ON}):
            answer = await made.http.post(PATH, json={**HELLO, **body}, headers={"cache-control": "only-if-cached"})
            assert answer.status_code == 504
            assert error_of(answer)["code"] == "not_cached"
            assert answer.headers["x-should-retry"] == "false"
        assert asked(made) == 0


async def test_a_model_that_was_turned_off_answers_no_more(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        assert await states(made, 2) == ["miss", "hit"]
        await made.http.put(f"/v1/models/{MODEL['id']}", json={"enabled": False})
        assert (await made.http.post(PATH, json=HELLO)).status_code == 400
        await made.http.put(f"/v1/models/{MODEL['id']}", json={"enabled": True, "relativeCost": 7})
        assert await states(made, 1) == ["hit"]
        await made.http.put("/v1/layers/L0/toggle", json={"enabled": False})
        assert (await made.http.post(PATH, json=HELLO)).status_code == 400


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hundred_identical_requests_at_once_ask_the_provider_once(tmp_path: Path, stream: bool) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        answers = await asyncio.gather(*(chat(made, {"stream": stream}) for _ in range(100)))
        assert sorted(answer.headers["x-gateway-cache"] for answer in answers) == [*["hit"] * 99, "miss"]
        assert asked(made) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_first_client_leaves_the_next_one_asks_within_its_own_time(
    tmp_path: Path, stream: bool
) -> None:
    hanging = {**HELLO, "model": "scripted-hang", "stream": stream}
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made, apiModelName="scripted-hang")
        first = asyncio.create_task(made.http.post(PATH, json=hanging))
        await until(lambda: asked(made) == 1)
        second = asyncio.create_task(made.http.post(PATH, json={**hanging, "gateway": {"timeoutMs": 500}}))
        (flight,) = made.gateway.cache._flights._flights.values()
        await until(lambda: flight.users == 2)
        first.cancel()
        answer = await second
        assert answer.status_code == 504
        assert error_of(answer)["code"] == "request_timeout"
        assert asked(made) == 2


async def test_each_key_has_its_own_answers_and_clears_only_these(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        assert (await made.http.post("/v1/models", json=MODEL, headers=admin)).status_code == 201
        secrets = [
            (await made.http.post("/v1/keys", json={"name": name, "scopes": ["chat"]}, headers=admin)).json()["secret"]
            for name in ("one", "two")
        ]
        one, two = (f"Bearer {secret}" for secret in secrets)
        assert await states(made, 2, authorization=one) == ["miss", "hit"]
        assert await states(made, 2, authorization=two) == ["miss", "hit"]
        assert (await made.http.delete("/v1/cache")).status_code == 401
        cleared = await made.http.delete("/v1/cache", headers={"authorization": one})
        assert cleared.json() == {"success": True, "cleared": 1}
        assert await states(made, 1, authorization=two) == ["hit"]
        assert await states(made, 1, authorization=one) == ["miss"]
        cleared = await made.http.delete("/v1/cache", headers=admin)
        assert cleared.json() == {"success": True, "cleared": 2}
        assert await states(made, 1, authorization=two) == ["miss"]


async def test_in_a_shared_redis_only_our_answers_are_cleared_and_every_process_has_them(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings: dict[str, Any] = {"enable_cache": True, "redis_url": redis_server.url}
    store = RedisStore(redis_server.url, timeout=2)
    await store._client.set("somebody:else", b"1")
    async with surface(tmp_path, **settings) as one:
        await with_model(one)
        assert await states(one, 1) == ["miss"]
        await until(lambda: one.gateway.cache.counters.stored == 1)
        async with surface(tmp_path, **settings) as two:
            assert await states(two, 1) == ["hit"]
            assert asked(two) == 0
            assert (await two.http.delete("/v1/cache")).json()["cleared"] == 1
        assert await states(one, 1) == ["miss"]
        assert await store._client.get("somebody:else") == b"1"
        redis_server.kill()
        refused = await one.http.delete("/v1/cache")
        assert refused.status_code == 503
        assert error_of(refused)["code"] == "cache_unavailable"
        assert await states(one, 2) == ["miss", "hit"]
    await store.aclose()


async def test_hits_and_what_they_saved_are_counted(tmp_path: Path) -> None:
    async with surface(tmp_path, enable_cache=True) as made:
        await with_model(made)
        await states(made, 3)
        text = (await made.http.get("/metrics")).text
    assert 'gateway_cache_lookups_total{result="hit"} 2.0' in text
    assert 'gateway_cache_lookups_total{result="miss"} 1.0' in text
    assert "gateway_cache_saved_usd_total 0.0" in text
