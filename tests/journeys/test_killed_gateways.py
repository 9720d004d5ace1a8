"""Gateways that are killed in the middle of their work, as real processes: no usage row is lost, and none is doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from shared.providers.scripted import ScriptedServer
from tests.support.databases import PostgresServer
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.slow

MODEL = {"id": "mine/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0", "priority": 0}
HELLO = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
SHARED = {
    "JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
    "SECRETS_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "TERMINAL_SANDBOX": "off",
}
CHATS = 40


@pytest.fixture
async def provider() -> AsyncIterator[dict[str, str]]:
    async with ScriptedServer().listening() as server:
        yield {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test", "SPEND_GUARD": "false"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    server: PostgresServer = request.getfixturevalue("postgres")
    return {"DATABASE_URL": server.new_database()}


async def chat(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json=HELLO)
    assert answer.status_code == 200, answer.text


async def chats(gateway: Serving) -> None:
    await asyncio.gather(*(chat(gateway.http) for _ in range(CHATS)))


async def usage(gateway: Serving) -> Any:
    return (await gateway.http.get("/v1/usage")).json()["total"]["attempts"]


async def counted(gateway: Serving, wanted: int) -> None:
    """The rows come once the worker is started again, and no more of them. Connections to a killed one may break."""
    found = 0
    async with asyncio.timeout(20):
        while found < wanted:
            async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as fresh:
                with suppress(httpx.TransportError):
                    found = (await fresh.get("/v1/usage")).json()["total"]["attempts"]
            await asyncio.sleep(0.05)
    assert found == wanted


def journals(data: Path) -> list[Path]:
    return [*data.glob("journal/*/*.journal")]


async def test_every_answered_chat_has_its_usage_row_after_a_kill(
    tmp_path: Path, provider: dict[str, str], database: dict[str, str]
) -> None:
    data, settings = tmp_path / "data", {**SHARED, **provider, **database}
    async with serving(data, **settings) as gateway:
        assert (await gateway.http.post("/v1/models", json=MODEL)).status_code == 201
        await chats(gateway)
        await gateway.kill()
    for kills in (1, 2):
        async with serving(data, **settings) as gateway:
            assert await usage(gateway) == kills * CHATS
            assert len(journals(data)) == 2, "the files of the living process"
            await chats(gateway)
            await gateway.kill()
    async with serving(data, **settings) as gateway:
        assert await usage(gateway) == 3 * CHATS
    assert journals(data) == []


async def test_a_worker_that_is_killed_loses_nothing_and_takes_nothing_of_its_sibling(
    tmp_path: Path, provider: dict[str, str], database: dict[str, str], redis_server: RedisServer
) -> None:
    data, settings = tmp_path / "data", {**SHARED, **provider, **database, "REDIS_URL": redis_server.url}
    async with serving(data, **settings) as gateway:
        assert (await gateway.http.post("/v1/models", json=MODEL)).status_code == 201
    async with serving(data, WORKERS="2", **settings) as gateway:
        async with asyncio.timeout(20):
            while len(journals(data)) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await chats(gateway)
        for worker in psutil.Process(gateway.process.pid).children():
            if "serve" in worker.cmdline():
                worker.kill()
                break
        await counted(gateway, CHATS)
