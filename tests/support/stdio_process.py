"""`mcp-gateway stdio` as a host starts it: a process of its own, a bare environment, pipes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shared.providers.scripted import ScriptedServer
from tests.support.databases import seed
from tests.support.mcp_stack import environment

COMMAND = str(Path(sys.executable).with_name("mcp-gateway"))


def bare(folder: Path, server: ScriptedServer | None = None, **more: str) -> dict[str, str]:
    """The few variables that a host hands on, and those that keep the gateway to itself."""
    base = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "x"} if server else {}
    home = {"HOME": str(folder), "PATH": os.environ["PATH"], "DATA_DIR": str(folder / "data")}
    return {**home, **environment(), **base, **more}


def modern(**params: Any) -> dict[str, Any]:
    """The parameters of a request in the era without a handshake."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return {**params, "_meta": meta}


class StdioProcess:
    """A running process and the protocol in its plainest form."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.noise: list[str] = []
        self._ids = 0

    async def send(self, method: str, params: dict[str, Any] | None = None, *, notify: bool = False) -> int:
        """Write one message; its id."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if not notify:
            self._ids += 1
            message["id"] = self._ids
        await self.write(json.dumps(message).encode() + b"\n")
        return self._ids

    async def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def line(self) -> str:
        """The next line of stdout."""
        assert self.process.stdout
        return (await asyncio.wait_for(self.process.stdout.readline(), 10)).decode()

    async def answer(self, wanted: int) -> dict[str, Any]:
        """The answer to a request; every line until then must be a message of the protocol."""
        while True:
            message: dict[str, Any] = json.loads(await self.line())
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == wanted:
                return message

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and wait for its result."""
        result: dict[str, Any] = (await self.answer(await self.send(method, params)))["result"]
        return result

    async def shake_hands(self) -> None:
        """As hosts of the older era begin."""
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        assert (await self.ask("initialize", client))["serverInfo"]["name"] == "ai-mcp-gateway"
        await self.send("notifications/initialized", notify=True)

    async def begin_command(self, command: str) -> int:
        """Start a tool call; the request's id."""
        return await self.send("tools/call", {"name": "run_command", "arguments": {"command": command}})

    async def ended(self) -> tuple[int, str, str]:
        """Exit code and the rest of stdout and stderr, once the process has gone."""
        assert self.process.stdout
        assert self.process.stderr
        rest, errors, code = await asyncio.wait_for(
            asyncio.gather(self.process.stdout.read(), self.process.stderr.read(), self.process.wait()), 10
        )
        return code, rest.decode(), errors.decode()

    def close_stdin(self) -> None:
        """What a host does when it is done."""
        assert self.process.stdin
        self.process.stdin.close()


@asynccontextmanager
async def stdio_process(
    environ: dict[str, str], *, cwd: str = "/", command: tuple[str, ...] = (COMMAND, "stdio")
) -> AsyncIterator[StdioProcess]:
    """Start it; whatever is left of it at the end is killed."""
    if command == (COMMAND, "stdio") and not environ.get("DATABASE_URL"):
        seed(Path(environ["DATA_DIR"]))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env=environ,
        limit=16 * 1024 * 1024,
    )
    try:
        yield StdioProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if process.stdin:
            process.stdin.close()
