"""What a call over MCP costs: `list_models` and `run_command true` beside trivial tools of a bare SDK server, in one run.

Writes bench/mcp-results.md. Rounds of both servers take turns, so that a busy machine disturbs both alike.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "bench" / "mcp-results.md"
TRANSPORTS = ("stdio", "http", "sse")
ERAS = {"modern": "auto", "legacy": "legacy"}
ROUNDS = 40
CALLS = 8
COMMANDS = 1
ROWS = 40
AIM = 1.3


@dataclass
class Times:
    """Milliseconds of single calls."""

    found: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        return statistics.median(self.found)

    @property
    def p25(self) -> float:
        return statistics.quantiles(self.found, n=4)[0]

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.found, n=20)[18]


def environ(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(folder / "data"),
        "OSS_DISCOVERY": "false",
        "EMBEDDED_MODEL": "off",
        "RATE_LIMIT_PER_MINUTE": "0",
        "RATE_LIMIT_PER_HOUR": "0",
        "API_PORT": "0",
        "BARE_ANSWER": str(folder / "answer.json"),
    }


@asynccontextmanager
async def listening(arguments: list[str], folder: Path) -> AsyncIterator[str]:
    """A server process; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environ(folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        while not (found := re.search(r"http://[\d.]+:\d+", (await process.stdout.readline()).decode())):
            pass
        yield found[0]
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def client_of(transport: str, mode: str, own: list[str], url: str, folder: Path) -> AsyncIterator[Client]:
    """A client on a process of its own (stdio), or on the server at that address."""
    async with AsyncExitStack() as stack:
        if transport == "stdio":
            parameters = StdioServerParameters(command=sys.executable, args=own, env=environ(folder))
            errors = stack.enter_context((folder / "stderr").open("w"))
            target: Any = stdio_client(parameters, errlog=errors)
        elif transport == "http":
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=30))
            target = streamable_http_client(f"{url}/mcp", http_client=http)
        else:
            target = sse_client(f"{url}/sse")
        yield await stack.enter_async_context(Client(target, mode=mode))


@asynccontextmanager
async def bare_beside(url: str, folder: Path) -> AsyncIterator[str]:
    """The bare server over HTTP, which has learned our answer; its address."""
    async with client_of("http", "auto", [], url, folder) as client:
        result = await client.call_tool("list_models", {"limit": ROWS})
        schema = next(tool.output_schema for tool in (await client.list_tools()).tools if tool.name == "list_models")
    answer = {"schema": schema, "structured": result.structured_content, "text": getattr(result.content[0], "text", "")}
    (folder / "answer.json").write_text(json.dumps(answer))
    async with listening([str(ROOT / "bench" / "mcp_bare.py"), "http"], folder) as bare_url:
        yield bare_url


async def timed(times: Times, calls: int, call: Callable[[], Any]) -> None:
    for _ in range(calls):
        started = time.perf_counter()
        result = await call()
        times.found.append((time.perf_counter() - started) * 1000)
        assert not result.is_error, result.content


async def measure(bare: Client, gateway: Client) -> dict[str, Times]:
    """All four calls, in turns."""
    times = {name: Times() for name in ("small", "large", "list_models", "one_model", "run_command")}
    calls: dict[str, tuple[int, Callable[[], Any]]] = {
        "small": (CALLS, lambda: bare.call_tool("small", {})),
        "large": (CALLS, lambda: bare.call_tool("large", {})),
        "list_models": (CALLS, lambda: gateway.call_tool("list_models", {"limit": ROWS})),
        "one_model": (CALLS, lambda: gateway.call_tool("list_models", {"limit": 1})),
        "run_command": (COMMANDS, lambda: gateway.call_tool("run_command", {"command": "true"})),
    }
    for count, call in calls.values():
        await timed(Times(), min(count, 10), call)
    for _ in range(ROUNDS):
        for name, (count, call) in calls.items():
            await timed(times[name], count, call)
    return times


async def main() -> None:
    rows: list[tuple[str, str, dict[str, Times]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        bare, ours = str(ROOT / "bench" / "mcp_bare.py"), ["-m", "mcp_gateway"]
        async with listening([*ours, "serve"], folder) as url, bare_beside(url, folder) as bare_url:
            for transport in TRANSPORTS:
                for era, mode in ERAS.items():
                    async with (
                        client_of(transport, mode, [bare, "stdio"], bare_url, folder) as first,
                        client_of(transport, mode, [*ours, "stdio"], url, folder) as second,
                    ):
                        rows.append((transport, era, await measure(first, second)))
                        print(line(*rows[-1]), flush=True)
    REPORT.write_text(report(rows), "utf-8")


def line(transport: str, era: str, times: dict[str, Times]) -> str:
    small, large, models, one, command = (
        times[name] for name in ("small", "large", "list_models", "one_model", "run_command")
    )
    return (
        f"| {transport} | {era} | {large.p50:.2f} / {large.p95:.2f} | {models.p50:.2f} / {models.p95:.2f} "
        f"| **{models.p25 / large.p25:.2f}** | {small.p50:.2f} / {small.p95:.2f} | {one.p50:.2f} / {one.p95:.2f} "
        f"| {one.p25 / small.p25:.2f} | {command.p50:.1f} / {command.p95:.1f} |"
    )


def report(rows: list[tuple[str, str, dict[str, Times]]]) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return "\n".join(
        [
            "# MCP calls",
            "",
            f"`make bench-mcp`, Python {platform.python_version()}, {os.cpu_count()} cores, load {load} at the end. Milliseconds, p50 / p95, of single calls of a Python",
            f"client; {ROUNDS} rounds in turns, {CALLS} calls each ({COMMANDS} of `run_command true`) in each. `same answer` is a tool of a bare SDK server that gives the very",
            f"bytes of `list_models` (limit {ROWS}) under the same schema, `ok` one that gives nothing to speak of; × is ours over theirs at p25, which other work on the machine disturbs less (aim {AIM}).",
            "",
            f"| transport | era | same answer | list_models {ROWS} | × | ok | list_models 1 | × | run_command true |",
            "|---|---|---|---|---|---|---|---|---|",
            *(line(*row) for row in rows),
            "",
        ]
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
