"""What `/metrics` tells of a whole gateway, and who may read it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_gateway.sidecar import mounted
from tests.support.http_gateway import MODEL, Surface, settings_for, surface, without_models
from tests.support.mcp_stack import client_of

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(made: Surface, **headers: str) -> Samples:
    answer = await made.http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return samples.get((metric, frozenset(labels.items())))


async def chat(made: Surface, **more: object) -> int:
    hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}], **more}
    return (await made.http.post("/v1/chat/completions", json=hello)).status_code


async def test_attempts_are_counted_by_provider_model_and_outcome(tmp_path: Path) -> None:
    prices = {"pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2}
    async with surface(tmp_path) as made:
        await without_models(made)
        await made.http.post("/v1/models", json={**MODEL, **prices, "priority": 1})
        failing = {**MODEL, "id": "scripted/bad", "apiModelName": "scripted-e500", "priority": 0}
        await made.http.post("/v1/models", json=failing)
        assert await chat(made, model="auto") == 200
        assert await chat(made, stream=True) == 200
        samples = await scraped(made)
    good, bad = {"provider": "openai", "model": "scripted/scripted"}, {"provider": "openai", "model": "scripted/bad"}
    assert value(samples, "gateway_attempts_total", **good, outcome="ok") == 2
    assert value(samples, "gateway_attempts_total", **bad, outcome="provider_failed") == 1
    assert value(samples, "gateway_attempt_duration_seconds_count", **good) == 2
    assert value(samples, "gateway_time_to_first_token_seconds_count", **good) == 1
    assert value(samples, "gateway_time_to_first_token_seconds_count", **bad) == 0
    assert (value(samples, "gateway_tokens_total", **good, type="completion") or 0) > 0
    assert (value(samples, "gateway_cost_usd_total", **good) or 0) > 0
    assert value(samples, "gateway_chats_total", outcome="ok") == 2
    assert value(samples, "gateway_chat_seconds_count", stream="true") == 1
    path = {"method": "POST", "path": "/v1/chat/completions", "status": "200"}
    assert value(samples, "gateway_http_requests_total", **path) == 2


ANTHROPIC = {"model": MODEL["id"], "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
OLLAMA = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}


async def test_chats_of_every_surface_are_counted(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json={**MODEL, "pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2})
        for stream in (False, True):
            assert await chat(made, stream=stream) == 200
            for path, body in (
                ("/v1/messages", ANTHROPIC),
                ("/api/chat", OLLAMA),
                ("/api/generate", {"model": MODEL["id"], "prompt": "hi"}),
            ):
                answer = await made.http.post(path, json={**body, "stream": stream})
                assert answer.status_code == 200, answer.text
        async with client_of(made.gateway) as mcp:
            assert not (await mcp.call_tool("chat", {"model": MODEL["id"], "message": "hi"})).is_error
        assert (await chat(made, model="nobody/nothing")) == 404
        samples = await scraped(made)
    model = {"provider": "openai", "model": MODEL["id"]}
    whole, streamed = (value(samples, "gateway_chat_seconds_count", stream=stream) for stream in ("false", "true"))
    assert (whole, streamed) == (5, 4) or (whole, streamed) == (4, 5)  # the tool streams where it can report progress
    assert value(samples, "gateway_chats_total", outcome="ok") == 9
    assert value(samples, "gateway_attempts_total", **model, outcome="ok") == 9
    assert value(samples, "gateway_attempt_duration_seconds_count", **model) == 9
    assert (value(samples, "gateway_time_to_first_token_seconds_count", **model) or 0) >= 4
    assert (value(samples, "gateway_tokens_total", **model, type="completion") or 0) > 0
    assert (value(samples, "gateway_cost_usd_total", **model) or 0) > 0


async def test_a_new_gateway_shows_its_state(tmp_path: Path) -> None:
    async with surface(tmp_path, budget_usd_per_day=5) as made:
        samples = await scraped(made)
        version = made.gateway.version
    names = {name for name, _ in samples}
    assert [labels for name, labels in samples if name == "gateway_build_info" and ("version", version) in labels]
    assert value(samples, "gateway_database_up") == value(samples, "gateway_database_writable") == 1
    assert value(samples, "gateway_sandbox_info", kind="none") == 1
    assert value(samples, "gateway_job_up", name="ledger") == 1
    assert value(samples, "gateway_job_restarts_total", name="ledger") == 0
    assert value(samples, "gateway_queued_rows", queue="usage") == 0
    assert value(samples, "gateway_provider_healthy", provider="openai") is not None
    budget = {"budget": "settings-day", "applies_to": "all", "period": "day"}
    assert (
        value(samples, "gateway_budget_limit_usd", **budget) == value(samples, "gateway_budget_left_usd", **budget) == 5
    )
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"} <= names
    assert "gateway_redis_up" not in names, "there is no Redis"


async def test_limits_that_refuse_a_request_are_counted(tmp_path: Path) -> None:
    settings = {"rate_limit_per_minute": 2, "auth_mode": "required"}
    mounts = [mounted(settings_for(tmp_path, **settings))]
    async with surface(tmp_path, mounts=mounts, **settings) as made:
        headers = {"authorization": f"Bearer {await made.login()}"}
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        answers = [(await made.http.get("/v1/models", headers=headers)).status_code for _ in range(3)]
        accept = {**headers, "accept": "application/json, text/event-stream"}
        assert (await made.http.post("/mcp", json=ping, headers=accept)).status_code == 429
        samples = await scraped(made, **headers)
    assert value(samples, "gateway_limits_reached_total", code="rate_limited") == answers.count(429) + 1


async def test_the_scope_metrics_reads_metrics_and_nothing_else(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        made_key = await made.http.post("/v1/keys", json={"name": "scraper", "scopes": ["metrics"]}, headers=admin)
        key = {"authorization": f"Bearer {made_key.json()['secret']}"}
        assert (await made.http.get("/metrics", headers=key)).status_code == 200
        for path in ("/v1/models", "/v1/usage", "/v1/keys", "/v1/audit"):
            assert (await made.http.get(path, headers=key)).status_code == 403, path
        assert (await made.http.get("/metrics")).status_code == 401


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
async def test_promtool_accepts_the_exposition(tmp_path: Path) -> None:
    async with surface(tmp_path, budget_usd_per_day=5) as made:
        await made.http.post("/v1/models", json=MODEL)
        await chat(made)
        text = (await made.http.get("/metrics")).content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
