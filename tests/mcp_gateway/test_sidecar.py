"""`stdio --sidecar`: one process and one core, for the host on the pipes and for everybody over HTTP."""

import asyncio
import json
import re
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.processes import lives
from tests.support.serving import serving
from tests.support.stdio_process import COMMAND, StdioProcess, bare, stdio_process

SIDECAR = (COMMAND, "stdio", "--sidecar")
ACCEPT = {"accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


async def address_of(host: StdioProcess) -> str:
    """Where it says that it serves HTTP."""
    assert host.process.stderr
    async with asyncio.timeout(20):
        while True:
            line = (await host.process.stderr.readline()).decode()
            assert line, "it ended without serving"
            if found := re.search(r"Serving HTTP at (http://[^ ,\"]+)", line):
                return found[1]


async def test_the_host_and_http_callers_share_one_core(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path, API_PORT="0"), command=SIDECAR) as host:
        await host.shake_hands()
        url = await address_of(host)
        opened = await host.ask("tools/call", {"name": "open_terminal", "arguments": {}})
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            sessions = (await client.get("/v1/terminal/sessions")).json()["sessions"]
            assert [session["id"] for session in sessions] == [opened["structuredContent"]["sessionId"]]
            assert (await client.post("/mcp", json=INITIALIZE, headers=ACCEPT)).status_code == 200
            async with client.stream("GET", "/sse") as stream:
                assert stream.status_code == 200
                host.close_stdin()
                code, rest, errors = await host.ended()
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
    assert code == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert "Traceback" not in errors


async def test_a_signal_ends_both(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path, API_PORT="0"), command=SIDECAR) as host:
        await host.shake_hands()
        await address_of(host)
        family = psutil.Process(host.process.pid).children(recursive=True)
        host.process.send_signal(signal.SIGTERM)
        code, _, errors = await host.ended()
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in errors
    assert not any(lives(process) for process in family)


async def test_beside_another_gateway_it_goes_on_without_http_and_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "served") as running:
        environ = bare(tmp_path, API_PORT=str(httpx.URL(running.url).port))
        async with stdio_process(environ, command=SIDECAR) as host:
            await host.shake_hands()
            assert not (await host.ask("tools/call", {"name": "list_models", "arguments": {}})).get("isError")
            host.close_stdin()
            code, _, errors = await host.ended()
        assert (await running.http.get("/health")).status_code == 200
    assert code == 0
    assert "Another gateway serves HTTP" in errors
    assert "stdio --connect" in errors
    assert "Traceback" not in errors
