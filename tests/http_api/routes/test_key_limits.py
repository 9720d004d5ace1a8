"""What a key's own limits come to for those who use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_server import serving
from tests.support.redis_servers import RedisServer

SAYING = [{"role": "user", "content": "hello"}]


@pytest.fixture(params=["memory", "redis"])
async def made(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Surface]:
    server: RedisServer | None = request.getfixturevalue("redis_server") if request.param == "redis" else None
    async with surface(tmp_path, redis_url=server.url if server else "") as opened:
        await opened.http.post("/v1/models", json=MODEL)
        await opened.http.post(
            "/v1/models", json={**MODEL, "id": "scripted/hangs", "apiModelName": "scripted-hang2", "priority": 5}
        )
        yield opened


async def key(made: Surface, **own: Any) -> dict[str, str]:
    """Headers with a new key."""
    answer = await made.http.post("/v1/keys", json={"name": "k", "scopes": ["chat", "models:read"], **own})
    assert answer.status_code == 201, answer.text
    assert {name: answer.json()["key"][name] for name in own} == own
    return {"authorization": f"Bearer {answer.json()['secret']}"}


async def chat(made: Surface, headers: dict[str, str], **more: Any) -> httpx.Response:
    body = {"model": "scripted/scripted", "messages": SAYING, **more}
    return await made.http.post("/v1/chat/completions", json=body, headers=headers)


async def test_so_many_requests_a_minute_get_through_and_no_more(made: Surface) -> None:
    own = await key(made, rateLimitPerMinute=10)
    answers = await asyncio.gather(*(made.http.get("/v1/models", headers=own) for _ in range(50)))
    assert [answer.status_code for answer in answers].count(200) == 10
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"].startswith("Too many requests: at most 10 are allowed a minute with this API key.")
    for name, value in (("limit", "10"), ("remaining", "0")):
        assert refused.headers[f"x-ratelimit-{name}"] == value
    assert 50 <= int(refused.headers["retry-after"]) <= 61
    other = await key(made, rateLimitPerMinute=10)
    assert (await made.http.get("/v1/models", headers=other)).headers["x-ratelimit-remaining"] == "9"


async def test_tokens_count_as_they_were_used_and_every_chat_says_where_that_stands(made: Surface) -> None:
    own = await key(made, tokensPerMinute=2000)
    for _ in range(10):  # each is estimated at 200 and more, and uses about 12
        answer = await chat(made, own)
        assert answer.status_code == 200, answer.text
        await made.gateway.chat_limits.aclose()
    assert answer.headers["x-ratelimit-limit-tokens"] == "2000"
    used = answer.json()["usage"]["total_tokens"]
    assert 2000 - 9 * used - 300 < int(answer.headers["x-ratelimit-remaining-tokens"]) <= 2000 - 9 * used - 200
    assert "x-ratelimit-reset-tokens" in answer.headers
    refused = await chat(made, own, max_tokens=1990 - 9 * used)
    assert (refused.status_code, refused.json()["code"]) == (429, "tokens_exceeded")
    assert refused.headers["x-ratelimit-limit-tokens"] == "2000"
    assert int(refused.headers["retry-after"]) > 0
    never = await chat(made, own, max_tokens=5000)
    assert (never.status_code, never.json()["code"]) == (400, "more_than_tokens_per_minute")
    assert "x-ratelimit-limit-tokens" not in (await chat(made, await key(made))).headers


async def test_a_client_that_leaves_makes_room_for_the_next_stream(made: Surface) -> None:
    own = await key(made, maxStreams=2)
    async with serving(made.app, on_stopping=made.app.stop) as running:

        @asynccontextmanager
        async def stream() -> AsyncIterator[httpx.Response]:
            body = {"model": "scripted/hangs", "messages": SAYING, "stream": True}
            async with (
                httpx.AsyncClient(base_url=running.url, timeout=5) as client,
                client.stream("POST", "/v1/chat/completions", json=body, headers=own) as answer,
            ):
                yield answer

        async with stream() as first, stream() as second:
            assert (first.status_code, second.status_code) == (200, 200)
            async with stream() as third:
                await third.aread()
                assert (third.status_code, third.json()["code"]) == (429, "too_many_streams")
            assert (await chat(made, own)).status_code == 200
        async with asyncio.timeout(5):
            for _ in range(2):
                while True:
                    async with stream() as again:
                        if again.status_code == 200:
                            break


async def test_a_key_never_makes_a_stronger_one(made: Surface) -> None:
    http, scopes = made.http, ["admin", "chat", "models:read"]
    bounded = await key(made, scopes=scopes, tokensPerMinute=100)
    refused = await http.post("/v1/keys", json={"name": "child"}, headers=bounded)
    assert (refused.status_code, refused.json()["details"]) == (403, {"bounds": ["tokensPerMinute"]})

    within = await key(made, scopes=scopes, maxLayer="L1", models=["scripted/scripted"])
    for field, value in (
        ("scopes", ["terminal"]),
        ("maxLayer", "L2"),
        ("models", ["scripted/hangs"]),
        ("rateLimitPerHour", 0),
        ("rateLimitPerHour", 100_000),
    ):
        stronger = await http.post("/v1/keys", json={"name": "child", "scopes": ["chat"], field: value}, headers=within)
        assert stronger.status_code == 403, field
    child = (await http.post("/v1/keys", json={"name": "child", "scopes": ["chat"]}, headers=within)).json()["key"]
    assert (child["maxLayer"], child["models"]) == ("L1", ["scripted/scripted"])

    answer = await http.post("/v1/keys", json={"name": "k", "scopes": scopes, "expiresAt": "2100-01-01"})
    short = {"x-api-key": answer.json()["secret"]}
    assert (
        await http.post("/v1/keys", json={"name": "c", "expiresAt": "2100-01-02"}, headers=short)
    ).status_code == 403
    inherits = await http.post("/v1/keys", json={"name": "c", "scopes": ["chat"]}, headers=short)
    assert inherits.json()["key"]["expiresAt"] == "2100-01-01T00:00:00.000Z"


async def test_a_key_neither_loosens_its_budget_nor_makes_another_that_has_one_more(made: Surface) -> None:
    http, scopes = made.http, ["admin", "chat", "models:read"]
    created = await http.post("/v1/keys", json={"name": "k", "scopes": scopes})
    own = {"x-api-key": created.json()["secret"]}
    assert (await http.post("/v1/keys", json={"name": "free"}, headers=own)).status_code == 201
    budget = {"appliesTo": "key", "keyId": created.json()["key"]["id"], "limitUsd": 1}
    budget_id = (await http.post("/v1/budgets", json=budget)).json()["budget"]["id"]
    refused = await http.post("/v1/keys", json={"name": "child"}, headers=own)
    assert (refused.status_code, refused.json()["details"]) == (403, {"bounds": ["budgetUsd"]})
    path = f"/v1/budgets/{budget_id}"
    assert (await http.put(path, json={"limitUsd": 100}, headers=own)).status_code == 403
    assert (await http.delete(path, headers=own)).status_code == 403
    assert (await http.put(path, json={"limitUsd": 2})).status_code == 200
