"""A gateway that is told to end: balancers leave first, what runs may end, and a second signal ends it at once."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.held_provider import HeldProvider
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving
from tests.support.stdio_process import bare, stdio_process
from tests.support.waiting import until

LONG = {"SHUTDOWN_GRACE": "600", "SHUTDOWN_DRAIN": "300", "TERMINAL_SANDBOX": "off"}
"""Longer than any test waits, so that each shows what ends the waiting."""
SECONDS = 20


@pytest.fixture
async def provider() -> AsyncIterator[HeldProvider]:
    async with HeldProvider().listening() as server:
        yield server


def settings(provider: HeldProvider, **more: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "x", "AUTO_BUDGET_USD_PER_DAY": "0", **LONG, **more}


@asynccontextmanager
async def streaming(url: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream whose first content has come."""
    body = {"model": "mine/scripted", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as http, AsyncExitStack() as stack:
        answer = await stack.enter_async_context(http.stream("POST", "/v1/chat/completions", json=body))
        async with asyncio.timeout(SECONDS):
            while answer.status_code == 404:  # another worker knows the model within a second
                answer = await stack.enter_async_context(http.stream("POST", "/v1/chat/completions", json=body))
        assert answer.status_code == 200, await answer.aread()
        lines = answer.aiter_lines()
        async for line in lines:
            if "first" in line:
                break
        yield lines


async def rest(lines: AsyncIterator[str]) -> str:
    return "\n".join([line async for line in lines])


async def add_model(gateway: Serving) -> None:
    model = {"id": "mine/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0"}
    answer = await gateway.http.post("/v1/models", json=model)
    assert answer.status_code == 201, answer.text


def held(folder: Path) -> str:
    return f"touch {folder}/begun; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo done"


def log_of(folder: Path) -> str:
    return (folder / "data" / "log").read_text()


async def ended(gateway: Serving) -> int:
    async with asyncio.timeout(SECONDS):
        return await gateway.process.wait()


async def test_balancers_leave_first_and_everything_that_runs_ends_in_its_time(
    tmp_path: Path, provider: HeldProvider
) -> None:
    async with serving(tmp_path / "data", **settings(provider, SHUTDOWN_DRAIN="2")) as gateway:
        await add_model(gateway)
        assert (await gateway.http.get("/readyz")).status_code == 200
        session = (await gateway.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        socket = gateway.url.replace("http", "ws", 1) + f"/v1/terminal/{session}/ws"
        async with streaming(gateway.url) as lines, connect(socket) as terminal:
            command = asyncio.ensure_future(gateway.http.post("/v1/terminal/execute", json={"command": held(tmp_path)}))
            await until((tmp_path / "begun").exists, SECONDS)
            gateway.process.terminate()
            await until(lambda: "requests are still taken" in log_of(tmp_path), SECONDS)

            ready = await gateway.http.get("/readyz")  # while it still takes requests
            assert (ready.status_code, ready.json()["reasons"]) == (503, ["stopping"])
            assert ready.headers["connection"] == "close"
            assert (await gateway.http.get("/health")).status_code == 200
            await until(lambda: "waiting for 1 stream, 1 request, 1 command" in log_of(tmp_path), SECONDS)
            with pytest.raises(httpx.ConnectError):
                await gateway.http.get("/health")

            shown = ""
            async with asyncio.timeout(SECONDS):
                while "[gateway: the gateway shuts down; this terminal ends in" not in shown:
                    shown += json.loads(await terminal.recv()).get("data", "")
            provider.go.set()
            assert "data: [DONE]" in await rest(lines)
            (tmp_path / "go").touch()
            assert (await command).json()["result"]["stdout"] == "done\n"
            said = [json.loads(text) async for text in terminal]
            assert said[-1]["type"] == "closed"
        assert await ended(gateway) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_with_nothing_under_way_it_ends_at_once(
    tmp_path: Path, provider: HeldProvider, number: signal.Signals
) -> None:
    async with serving(tmp_path / "data", **settings(provider)) as gateway:
        if number == signal.SIGINT:
            await gateway.http.get("/readyz")  # Ctrl+C waits for no balancer
        session = (await gateway.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        await gateway.http.post(f"/v1/terminal/{session}/send", json={"data": "echo idle\n"})
        gateway.process.send_signal(number)
        assert await ended(gateway) == 0


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_ends_it_at_once(tmp_path: Path, provider: HeldProvider, second: signal.Signals) -> None:
    async with serving(tmp_path / "data", **settings(provider)) as gateway:
        await add_model(gateway)
        await gateway.http.get("/readyz")
        async with streaming(gateway.url) as lines:
            gateway.process.terminate()
            await until(lambda: "requests are still taken" in log_of(tmp_path), SECONDS)
            gateway.process.send_signal(second)
            assert "The gateway is shutting down" in await rest(lines)
            assert await ended(gateway) == 0


async def test_what_outlasts_the_grace_is_ended_and_told(tmp_path: Path, provider: HeldProvider) -> None:
    async with serving(tmp_path / "data", **settings(provider, SHUTDOWN_GRACE="0.2")) as gateway:
        await add_model(gateway)
        async with streaming(gateway.url) as lines:
            gateway.process.terminate()
            assert "The gateway is shutting down" in await rest(lines)
        assert await ended(gateway) == 0
        assert "the shutdown grace is over" in log_of(tmp_path)


async def test_an_mcp_call_over_http_is_waited_for(tmp_path: Path, provider: HeldProvider) -> None:
    async with serving(tmp_path / "data", **settings(provider)) as gateway:
        call = {"name": "run_command", "arguments": {"command": held(tmp_path)}}
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**call, "_meta": meta}}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "run_command",
        }
        answer = asyncio.ensure_future(gateway.http.post("/mcp", json=request, headers=headers))
        await until((tmp_path / "begun").exists, SECONDS)
        gateway.process.terminate()
        await until(lambda: "waiting for 1 MCP call" in log_of(tmp_path), SECONDS)
        (tmp_path / "go").touch()
        assert "done" in (await answer).text
        assert await ended(gateway) == 0


@pytest.mark.slow
@pytest.mark.parametrize("insist", [False, True])
async def test_ctrl_c_lets_the_streams_of_all_workers_end(
    tmp_path: Path, provider: HeldProvider, redis_server: RedisServer, *, insist: bool
) -> None:
    given = settings(
        provider, WORKERS="2", REDIS_URL=redis_server.url, JWT_SECRET="0123456789abcdefghijklmnopqrstuvwxyz"
    )
    async with serving(tmp_path / "data", start_new_session=True, **given) as gateway:
        await add_model(gateway)
        async with streaming(gateway.url) as lines:
            os.killpg(gateway.process.pid, signal.SIGINT)  # as a terminal does
            await until(lambda: "waiting for 1 stream" in log_of(tmp_path), SECONDS)
            if insist:
                os.killpg(gateway.process.pid, signal.SIGINT)
                assert "The gateway is shutting down" in await rest(lines)
            else:
                provider.go.set()
                assert "data: [DONE]" in await rest(lines)
        assert await ended(gateway) == 0


@pytest.mark.parametrize("insist", [False, True])
async def test_stdio_lets_running_calls_end_and_takes_no_more(tmp_path: Path, *, insist: bool) -> None:
    async with stdio_process(bare(tmp_path, **LONG)) as host:
        await host.shake_hands()
        running = await host.begin_command(held(tmp_path))
        await until((tmp_path / "begun").exists, SECONDS)
        host.process.terminate()
        refused: dict[str, Any] = {}
        async with asyncio.timeout(SECONDS):
            while not refused.get("isError"):
                refused = (await host.answer(await host.begin_command("true")))["result"]
        assert "shutting down" in json.dumps(refused)
        if insist:
            host.process.terminate()
        else:
            (tmp_path / "go").touch()
            assert (await host.answer(running))["result"]["structuredContent"]["stdout"] == "done\n"
        code, _, errors = await host.ended()
        assert code == 128 + signal.SIGTERM
        assert "waiting for 1 call" in errors
        assert "Traceback" not in errors
