"""`stdio --connect` and who listens at the gateway's port: another user, a command, and a user that was named."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.serving import Serving, serving
from tests.support.stdio_process import COMMAND, bare, stdio_process
from tests.support.waiting import until

NOWHERE = "http://127.0.0.1:1"


def connecting(url: str) -> tuple[str, ...]:
    return (COMMAND, "stdio", "--connect", url)


LISTENING = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        with server.accept()[0] as there:
            there.settimeout(5)
            print("got", len(there.recv(4096)), flush=True)
"""


@asynccontextmanager
async def listening(*prefix: str, port: int = 0) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A process that takes connections and says how many bytes each brings first; its port."""
    command = [*prefix, sys.executable, "-I", "-S", "-c", LISTENING, str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd="/")
    assert process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 10)), process
    finally:
        process.kill()
        await process.wait()


AS_ANOTHER = ("setpriv", "--reuid=65534", "--clear-groups")
only_root = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="only root of Linux may become another user",
)


@only_root
@pytest.mark.parametrize("secrets", [{"MCP_GATEWAY_TOKEN": "mgw_a-key"}, {}], ids=["with a key", "without one"])
async def test_nothing_is_sent_to_another_users_listener(tmp_path: Path, secrets: dict[str, str]) -> None:
    async with listening(*AS_ANOTHER) as (port, there):
        url = f"http://127.0.0.1:{port}"
        async with stdio_process(bare(tmp_path, **secrets), command=connecting(url)) as host:
            code, rest, errors = await host.ended()
        assert (code, rest) == (1, "")
        assert "belongs to another user of this machine (uid 65534)" in errors
        assert "Nothing was sent" in errors
        assert there.stdout is not None
        assert await asyncio.wait_for(there.stdout.readline(), 5) == b"got 0\n"


@only_root
async def test_a_port_that_another_user_takes_meanwhile_gets_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path / "served") as first:
        port = int(httpx.URL(first.url).port or 0)
        async with stdio_process(bare(tmp_path), command=connecting(first.url)) as host:
            await host.shake_hands()
            await first.kill()
            async with listening(*AS_ANOTHER, port=port) as (_, there):
                asked = await host.send("tools/call", {"name": "list_models", "arguments": {}})
                assert "belongs to another user" in (await host.answer(asked))["error"]["message"]
                assert there.stdout is not None
                assert await asyncio.wait_for(there.stdout.readline(), 5) == b"got 0\n"


@only_root
async def test_the_user_that_a_gateway_is_meant_to_run_as_can_be_named(tmp_path: Path) -> None:
    async with listening(*AS_ANOTHER) as (port, there):
        environ = bare(tmp_path, MCP_GATEWAY_USER="65534")
        async with stdio_process(environ, command=connecting(f"http://127.0.0.1:{port}")) as host:
            assert there.stdout is not None
            assert await asyncio.wait_for(there.stdout.readline(), 10) != b"got 0\n"
            host.close_stdin()
            await host.ended()
    async with stdio_process(bare(tmp_path, MCP_GATEWAY_USER="no such user"), command=connecting(NOWHERE)) as host:
        code, _, errors = await host.ended()
    assert code == 2
    assert "MCP_GATEWAY_USER names no user" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is")
async def test_a_command_that_listens_there_gets_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path / "served", TERMINAL_SANDBOX="off") as running:
        await _nothing_for_a_command(running, tmp_path)


async def _nothing_for_a_command(running: Serving, tmp_path: Path) -> None:
    opened = (await running.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
    said = tmp_path / "said"
    script = f"{shlex.join([sys.executable, '-I', '-S', '-c', LISTENING, '0'])} >{said} 2>&1 &"
    await running.http.post(f"/v1/terminal/{opened}/execute", json={"command": script})
    await until(lambda: said.exists() and said.read_text().endswith("\n"))
    environ = bare(tmp_path, MCP_GATEWAY_TOKEN="mgw_a-key")
    async with stdio_process(environ, command=connecting(f"127.0.0.1:{said.read_text().strip()}")) as host:
        code, _, errors = await host.ended()
    assert code == 1
    assert "is a command that a gateway runs" in errors
    await until(lambda: said.read_text().endswith("got 0\n"))
