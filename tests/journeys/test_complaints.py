"""What users of gateways complain about, each cured over the whole gateway. What is proven in depth elsewhere:

- a fail-over for every fault, also inside a 200; streams that break or hang: tests/contracts/test_chat_faults.py
- a conversation that loses its model with every turn: tests/shared/routing/test_conversations.py and test_affinity.py
- prompts that Ollama cuts in silence: tests/shared/providers/ollama/test_provider.py
- fields dropped or invented, headers of other vendors: tests/shared/providers/openai/test_provider.py, tests/http_api/test_vendor_boundary.py
- budgets and limits under concurrency: tests/shared/usage/test_budgets.py, tests/shared/security/test_rate_limits.py
- prices: tests/shared/usage/test_pricing.py; masks: tests/shared/security/test_redaction.py
"""

import asyncio
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from shared.domain.models import Model
from shared.routing import attempt
from tests.support.fake_anthropic import FakeAnthropic, Reply
from tests.support.footprint import busy, held
from tests.support.http_gateway import Surface, surface, without_models
from tests.support.http_stack import error_of
from tests.support.redis_servers import RedisServer
from tests.support.serving import serving
from tests.support.waiting import until

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
ANTHROPIC = Path(__file__).parents[1] / "fixtures" / "anthropic"
CENT = Decimal("0.01")


async def add(there: Surface, name: str, **more: Any) -> str:
    """A model of the scripted provider by its words; its id."""
    entry = {"provider": "openai", "apiModelName": name, "layer": "L0", "priority": 0, **more}
    entry.setdefault("id", f"{entry['provider']}/{name}")
    made = await there.http.post("/v1/models", json=entry)
    assert made.status_code == 201, made.text
    return str(entry["id"])


async def chat(there: Surface, model: str, **more: Any) -> httpx.Response:
    return await there.http.post(CHAT, json={**HELLO, "model": model, **more})


def price(dollars: float) -> dict[str, float]:
    return {"pricePer1kInputTokens": dollars, "pricePer1kOutputTokens": dollars}


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for where limits are counted."""
    if request.param == "memory":
        return {}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"redis_url": server.url}


# Failures


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_goes_on_at_another_vendor_without_the_firsts_credentials(
    tmp_path: Path, stream: bool
) -> None:
    answer = (
        Reply.stream((ANTHROPIC / "text.sse").read_bytes())
        if stream
        else Reply([(ANTHROPIC / "text.json").read_bytes()])
    )
    async with FakeAnthropic(answer, listed=Reply([b"{}"])) as messages:
        keys = {
            "anthropic_base_url": messages.url,
            "anthropic_api_key": "sk-ant-own",
            "openai_api_key": "sk-openai-own",
        }
        async with surface(tmp_path, **keys) as there:
            await without_models(there)
            await add(there, "scripted-e200", layer="L3")
            await add(there, "claude", provider="anthropic", layer="L3", priority=1)
            told = await chat(there, "L3", stream=stream, user="ann")
            (asked,) = [request for request in messages.requests if request.method == "POST"]
            (first,) = [seen for seen in there.provider.seen if seen.path.endswith(CHAT)]
    assert told.status_code == 200, told.text
    assert told.headers["x-gateway-provider"] == "anthropic"
    assert (asked.headers["x-api-key"], asked.headers.get("authorization")) == ("sk-ant-own", None)
    assert "sk-openai-own" not in str(asked)
    assert first.headers["authorization"] == "Bearer sk-openai-own"
    assert not [name for name in first.headers if name.startswith(("anthropic", "x-api-key"))]


@pytest.mark.parametrize("stream", [False, True])
async def test_when_everybody_throttles_the_answer_is_their_429_now_and_while_they_rest(
    tmp_path: Path, stream: bool
) -> None:
    async with surface(tmp_path) as there:
        await without_models(there)
        ids = [
            await add(there, name, layer="L3", priority=number, **price(0))
            for number, name in enumerate(("scripted-e429-ra9", "scripted-e429-ra7"))
        ]
        first, then = [await chat(there, "L3", stream=stream) for _ in range(2)]
    for answer in (first, then):
        assert answer.status_code == 429
        assert error_of(answer)["code"] == "provider_rate_limited"
        assert 1 <= int(answer.headers["retry-after"]) <= 7
        assert answer.headers["x-should-retry"] == "false"
    assert [entry["model"] for entry in error_of(first)["details"]["attempts"]] == ids
    said = error_of(then)["details"]
    assert {entry["model"] for entry in said["attempts"] + said["cooling"]} == set(ids), "nobody hides"


# Money


async def test_two_hundred_at_once_never_overspend_a_cent(tmp_path: Path, store: dict[str, str]) -> None:
    async with surface(tmp_path, budget_usd_total="0.01", **store) as there:
        model = await add(there, "scripted-n8", **price(0.01))
        asking = (chat(there, model, stream=bool(number % 2), max_tokens=8) for number in range(200))
        answers = await asyncio.gather(*asking)
        for _ in range(200):
            answers.append(await chat(there, model, max_tokens=8))
            if answers[-1].status_code == 429:
                break
        await until(lambda: held(there.gateway) == 0)
        usage = (await there.http.get("/v1/usage")).json()["total"]
        (budget,) = (await there.http.get("/v1/budgets")).json()["budgets"]
        asked = [seen for seen in there.provider.seen if seen.path.endswith(CHAT)]
        assert busy(there.gateway.health) == 0
    fine = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(fine) + len(refused) == len(answers)
    assert {error_of(answer)["code"] for answer in refused} == {"budget_exceeded"}
    waits = [answer.headers.get("retry-after") for answer in refused]
    assert set(waits) <= {"1", None}, "soon, for what others only hold; never, for what is spent"
    assert waits[-1] is None
    assert len(asked) == len(fine), "who is refused reaches no provider"
    spent = len(fine) * Decimal("0.00019")  # 11 tokens there, 8 back
    assert Decimal(str(usage["costUsd"])) == Decimal(str(budget["spentUsd"])) == spent
    assert CENT * 8 / 10 < spent <= CENT, "the cent is of use, and no more than that is spent"


async def test_tokens_from_the_cache_cost_what_the_cache_costs(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}}
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    body = orjson.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})
    async with (
        FakeAnthropic(Reply([body]), listed=Reply([b'{"data": []}'])) as vendor,
        surface(tmp_path, openai_base_url=vendor.url) as there,
    ):
        answer = await chat(there, await add(there, "gpt-4o-mini", id="cheap"))
    millionths = 400 * Decimal("0.15") + 600 * Decimal("0.075") + 100 * Decimal("0.60")
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == millionths / 1_000_000
    assert answer.json()["usage"]["cost"] == float(millionths / 1_000_000)


async def test_a_price_that_nobody_knows_is_not_nothing(tmp_path: Path) -> None:
    async with surface(tmp_path) as there:
        answer = await chat(there, await add(there, "scripted-n1"))
        total = (await there.http.get("/v1/usage")).json()["total"]
    assert answer.headers["x-gateway-cost-usd"] == "unknown"
    assert answer.json()["usage"]["cost"] is None
    assert (total["costUsd"], total["unpriced"]) == (None, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_free_model_that_begins_to_bill_does_so_once_and_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(attempt, "log", structlog.stdlib.get_logger())  # the one it has may be tied to stderr by now
    async with surface(tmp_path, spend_guard=True) as there:
        model = await add(there, "scripted", **price(0))
        vendor: Any = there.gateway.providers.get("openai")
        vendor.reports_cost = True
        there.provider.bills = 0.02
        with capture_logs() as lines:
            first = await chat(there, model, stream=stream)
        after = [await chat(there, model, stream=stream) for _ in range(3)]
        asked = [seen for seen in there.provider.seen if seen.path.endswith(CHAT)]
        cooling = (await there.http.get("/v1/stats")).json()["coolingSeconds"]
        total = (await there.http.get("/v1/usage")).json()["total"]
    assert first.status_code == 200
    assert [(line["log_level"], line["model"], line["cost"]) for line in lines if "billed" in line["event"]] == [
        ("error", model, "0.02")
    ]
    assert len(asked) == 1, "not even as a last chance"
    assert {answer.status_code for answer in after} == {503}
    assert cooling[model] > 3000
    assert total["costUsd"] == 0.02


async def test_what_the_gateway_spends_itself_is_in_the_bill(tmp_path: Path) -> None:
    async with surface(tmp_path) as there:
        await without_models(there)
        there.provider.says["scripted-judge"] = '{"verdict": "correct", "issues": [], "corrected": null}'
        await add(there, "scripted-e500", layer="L3", **price(0.01))
        model = await add(there, "scripted", layer="L3", priority=1, **price(0.01))
        await add(there, "scripted-judge", layer="L3", priority=2, **price(0.01))
        answer = await chat(there, "L3", gateway={"crossCheck": True})
        total = (await there.http.get("/v1/usage")).json()["total"]
    assert answer.headers["x-gateway-model"] == model
    assert total["requests"] == 1
    assert total["attempts"] == 3
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == Decimal(str(total["costUsd"]))
    own = Decimal(str(answer.json()["gateway"]["answerCostUsd"]))
    assert Decimal(str(total["overheadUsd"])) == Decimal(str(total["costUsd"])) - own > 0


async def test_an_answer_that_is_none_is_in_the_bill_where_its_provider_bills_it(tmp_path: Path) -> None:
    async with surface(tmp_path) as there:
        await without_models(there)
        await add(there, "scripted-blank", layer="L3", **price(0.01))
        await add(there, "scripted", layer="L3", priority=1, **price(0.01))
        answer = await chat(there, "L3")
        total = (await there.http.get("/v1/usage")).json()["total"]
    cost = Decimal(str(answer.json()["usage"]["cost"]))
    assert Decimal(answer.headers["x-gateway-cost-usd"]) == Decimal(str(total["costUsd"])) == cost
    assert Decimal(str(total["overheadUsd"])) == cost / 2


# Limits


async def test_the_limit_is_exact_however_many_come_at_once(tmp_path: Path, store: dict[str, str]) -> None:
    async with surface(tmp_path, rate_limit_per_minute=40, **store) as there:
        await there.gateway.registry.add(Model(id="m", provider="openai", api_model_name="scripted-n1", layer="L0"))
        answers = await asyncio.gather(*(chat(there, "m") for _ in range(120)))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(429)) == (40, 80)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {error_of(answer)["code"] for answer in refused} == {"rate_limited"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 61 for answer in refused)


# Payloads


@pytest.mark.parametrize("stream", [False, True])
async def test_fields_that_nobody_knows_arrive_and_none_is_invented(tmp_path: Path, stream: bool) -> None:
    own = {"min_p": 0.05, "extra_body": {"deep": [1, None, {"a": "b"}]}, "temperature": 0}
    async with surface(tmp_path) as there:
        model = await add(there, "scripted-n1")
        answer = await chat(there, model, stream=stream, gateway={"maxLayer": "L1"}, **own)
        (seen,) = [seen.body for seen in there.provider.seen if seen.path.endswith(CHAT)]
    assert answer.status_code == 200
    added = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    seen.pop("stream", None) if not stream else None
    assert seen == {**HELLO, **own, **added, "model": "scripted-n1"}
    if not stream:
        assert answer.json()["scripted_field"] == "kept"


# Secrets


KEYS = ("sk-one-5f1d9c0b7a", "plain-two-8e7c6b5a4d", "third3f2e1d0c9b8a")


@pytest.mark.slow
async def test_a_key_that_a_vendor_repeats_reaches_neither_caller_nor_log(tmp_path: Path) -> None:
    def failing(status: int, key: str) -> Reply:
        message = f"Refused: 'Bearer {key}' {key}"
        return Reply([orjson.dumps({"error": {"message": message, "type": key, "code": key, "param": key}})], status)

    one, two, three = KEYS
    broken = Reply.stream(b'data: {"error": {"message": "Refused: %s"}}\n\n' % three.encode())
    async with (
        FakeAnthropic(failing(401, one), failing(500, two), listed=failing(401, one)) as vendor,
        FakeAnthropic(failing(429, three), broken, failing(400, three), listed=failing(403, three)) as other,
    ):
        settings = {"OPENAI_BASE_URL": vendor.url, "OPENAI_API_KEY": f"{one},{two}", "LOG_LEVEL": "debug"}
        async with serving(tmp_path / "data", UPSTREAM_RETRY_WAIT="0", **settings) as gateway:
            added = {"name": "stored", "baseUrl": other.url, "apiKey": three}
            told = [await gateway.http.post("/v1/providers", json=added)]
            for name in ("openai", "stored", "again", "more"):
                entry = {"id": name, "provider": "openai" if name == "openai" else "stored", "apiModelName": name}
                assert (await gateway.http.post("/v1/models", json={**entry, "layer": "L3"})).status_code == 201
                body = {**HELLO, "model": name, "stream": name == "again"}
                told.append(await gateway.http.post(CHAT, json=body))
                assert told[-1].status_code >= 400
            for path in ("/v1/providers", "/v1/config", "/v1/stats", "/v1/audit", "/health"):
                told.append(await gateway.http.get(path))
        log = await asyncio.to_thread((tmp_path / "data" / "log").read_text)
    requests = [*vendor.requests, *other.requests]
    assert {request.headers["authorization"] for request in requests} == {f"Bearer {key}" for key in KEYS}
    assert not vendor.replies
    assert not other.replies
    everything = "\n".join([log, *(answer.text for answer in told)])
    assert "request refused" in log
    assert not [key for key in KEYS if key in everything]


# Start


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Nothing outside of this machine can be reached; whoever tries is written down."""
    tried: list[Any] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1")):
            tried.append(address)
            raise OSError("no network")
        connect(self, address)

    def resolving(host: Any, *more: Any, **named: Any) -> Any:
        if host not in (None, "localhost", "127.0.0.1", "::1"):
            tried.append(host)
            raise socket.gaierror("no network")
        return resolve(host, *more, **named)

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    return tried


async def test_it_starts_and_prices_without_any_network(tmp_path: Path, no_network: list[Any]) -> None:
    async with surface(tmp_path) as there:
        answer = await chat(there, await add(there, "gpt-4o-mini", id="cheap"))
        assert (await there.http.get("/health")).json()["status"] == "ok"
    assert Decimal(answer.headers["x-gateway-cost-usd"]) > 0, "the price list came along"
    assert no_network == []
