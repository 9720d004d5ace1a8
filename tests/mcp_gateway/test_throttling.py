"""What MCP clients over HTTP hear of the rate limits."""

import asyncio
import gc
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from mcp import Client, MCPError

from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.test_transports import ACCEPT, INITIALIZE, KINDS, Site, site

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""The SDK leaves its own streams to the garbage collector when a connection breaks off."""

LISTING = {"jsonrpc": "2.0", "id": "seven", "method": "tools/list"}
PATHS = ("/mcp", "/mcp/", "/messages/?session_id=1")


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What the SDK left behind goes while its warnings are still expected."""
    yield
    gc.collect()


@asynccontextmanager
async def few(folder: Path, scripted: ScriptedServer, per_minute: int) -> AsyncIterator[tuple[Site, dict[str, str]]]:
    """A gateway with a limit for each address, and the headers of somebody whom it counts."""
    async with site(folder, scripted, auth_mode="required", rate_limit_per_minute=per_minute) as found:
        _, key = await found.gateway.api_keys.create("test", ["chat", "models:read", "terminal"])
        yield found, {"authorization": f"Bearer {key}"}


async def repeatedly(client: Client, times: int) -> None:
    for _ in range(times):
        await client.call_tool("list_terminals", {})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_over_the_limit_says_which_it_is_and_how_long_to_wait(
    tmp_path: Path, scripted: ScriptedServer, kind: str
) -> None:
    async with few(tmp_path, scripted, 12) as (found, headers), found.client(kind, headers=headers) as client:
        async with asyncio.timeout(10):
            with pytest.raises(MCPError) as caught:
                await repeatedly(client, 13)
        assert "at most 12" in caught.value.error.message
        assert "RATE_LIMIT_PER_MINUTE" in caught.value.error.message
        assert caught.value.error.data["code"] == "rate_limited"
        assert 1 <= caught.value.error.data["retryAfter"] <= 60


async def test_over_sse_the_connection_outlives_the_limit(tmp_path: Path, scripted: ScriptedServer) -> None:
    async with few(tmp_path, scripted, 5) as (found, headers), found.client("sse", headers=headers) as client:
        for _ in range(2):
            with pytest.raises(MCPError, match="Too many requests"):
                await repeatedly(client, 6)


async def test_a_handshake_over_the_limit_fails_with_it(tmp_path: Path, scripted: ScriptedServer) -> None:
    async with few(tmp_path, scripted, 1) as (found, headers):
        async with httpx.AsyncClient(base_url=found.running.url, headers=headers) as plain:
            await plain.post("/mcp", json=LISTING)
        for kind in KINDS:
            with pytest.RaisesGroup(MCPError, flatten_subgroups=True, allow_unwrapped=True) as caught:
                async with found.client(kind, headers=headers):
                    pass
            assert "Too many requests" in "".join(traceback.format_exception(caught.value))


async def test_the_refusal_names_the_request_and_keeps_its_headers(tmp_path: Path, scripted: ScriptedServer) -> None:
    async with (
        few(tmp_path, scripted, 1) as (found, headers),
        httpx.AsyncClient(base_url=found.running.url, headers={**headers, **ACCEPT}) as plain,
    ):
        opened = await plain.post("/mcp", json=INITIALIZE)
        refused = await plain.post("/mcp", json=LISTING)
        assert refused.status_code == 429
        assert refused.json()["jsonrpc"] == "2.0"
        assert refused.json()["id"] == "seven"
        assert "RATE_LIMIT_PER_MINUTE" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-remaining"] == "0"
        for path in PATHS:
            for body in (
                "nothing",
                "[]",
                "{}",
                '{"id": null, "method": "x"}',
                f'{{"id": 1, "x": "{"y" * 2**20}"}}',
            ):
                answer = await plain.post(path, content=body, headers={"content-type": "application/json"})
                assert (answer.status_code, answer.json()["id"]) == (429, None), (path, body[:20])
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await plain.post("/mcp", json=told, headers=session)).status_code == 202
        elsewhere = await plain.post("/v1/route/explain", json={})
        assert elsewhere.status_code == 429
        assert elsewhere.json()["code"] == "rate_limited"


async def test_without_credentials_it_is_no_way_around_the_limit(tmp_path: Path, scripted: ScriptedServer) -> None:
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with few(tmp_path, scripted, 1) as (found, _), httpx.AsyncClient(base_url=found.running.url) as plain:
        assert [(await plain.post("/mcp", json=told)).status_code for _ in range(2)] == [401, 429]


async def test_the_user_of_this_machine_is_not_counted(tmp_path: Path, scripted: ScriptedServer) -> None:
    async with site(tmp_path, scripted, rate_limit_per_minute=1) as found:
        for kind in KINDS:
            async with found.client(kind) as client:
                for _ in range(4):
                    assert not (await client.call_tool("list_terminals", {})).is_error
        async with httpx.AsyncClient(base_url=found.running.url) as plain:
            assert [(await plain.get("/v1/models")).status_code for _ in range(2)] == [200, 429]
