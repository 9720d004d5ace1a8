"""How many of our own functions, in how many files, one warm request passes through: what a reader has to follow.

`python bench/walk.py` shows the counts beside the aims; `--list PATH` names the functions, file by file. Frames of the
server, the SDKs and the standard library are left out.
"""

import argparse
import asyncio
import http.client
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import smoke

WARM = 4
TIMES = 8


@dataclass(frozen=True, slots=True)
class Aim:
    """The most functions and files that a path should have."""

    functions: int
    files: int


AIMS = {
    "chat": Aim(150, 30),
    "chat, streamed": Aim(170, 32),
    "MCP chat": Aim(200, 40),
    "REST execute": Aim(110, 25),
    "MCP run_command": Aim(130, 28),
}


class Steps(smoke.Tally):
    """The functions that were called from the beginning of one request to that of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[set[CodeType]] = []

    def called(self, frame: FrameType, event: str, _: Any) -> None:
        """For sys.setprofile."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self._prefixes) and self.passed:
            self.passed[-1].add(code)

    def step(self) -> None:
        """A request begins."""
        self.passed.append(set())

    @property
    def summary(self) -> list[list[str]]:
        """The functions of each request, as `file:function`."""
        return [
            sorted(f"{Path(code.co_filename).relative_to(smoke.ROOT)}:{code.co_qualname}" for code in codes)
            for codes in self.passed
        ]


def walked() -> dict[str, list[str]]:
    """The functions of each path: of the request that passed the fewest, which no background work has a part in."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    with smoke.running({}, Path(__file__)) as gateway:
        for name, repeat in _paths(gateway.port):
            counts[name] = repeat()
        out, _ = gateway.process.communicate(timeout=60)
    steps: list[list[str]] = json.loads(out)
    begin = 0
    for name, count in counts.items():
        end = begin + count
        found[name] = min(steps[end - TIMES : end], key=len)
        begin = end
    return found


def _paths(port: int) -> list[tuple[str, Callable[[], int]]]:
    """Each path with what asks for it, at the end as often as TIMES; that says how many requests it sent in all."""
    chat = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}
    return [
        ("chat", lambda: _by_http(port, "/v1/chat/completions", chat)),
        ("chat, streamed", lambda: _by_http(port, "/v1/chat/completions", chat | {"stream": True})),
        ("MCP chat", lambda: asyncio.run(_by_mcp(port, "chat", {"model": "mock", "message": "hello"}))),
        ("REST execute", lambda: _in_session(port)),
        ("REST execute, one command", lambda: _by_http(port, "/v1/terminal/execute", {"command": "true"})),
        ("MCP run_command", lambda: asyncio.run(_by_mcp(port, "run_command", {"command": "true"}))),
    ]


def _by_http(port: int, path: str, payload: dict[str, Any], times: int = WARM + TIMES) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(times):
        connection.request("POST", path, json.dumps(payload), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path}: {answer.status}: {text[:500]!r}")
    connection.close()
    return times


def _in_session(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/terminal/sessions", '{"type": "local"}', {"Content-Type": "application/json"})
    session = json.loads(connection.getresponse().read())["session"]["id"]
    connection.close()
    return 1 + _by_http(port, f"/v1/terminal/{session}/execute", {"command": "true"})


async def _by_mcp(port: int, tool: str, arguments: dict[str, Any]) -> int:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    sent = 0

    async def counted(_: httpx2.Request) -> None:
        nonlocal sent
        sent += 1

    async with (
        httpx2.AsyncClient(event_hooks={"request": [counted]}, timeout=30) as web,
        Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web)) as client,
    ):
        for _ in range(WARM + TIMES):
            result = await client.call_tool(tool, arguments)
            if result.is_error:
                raise RuntimeError(f"{tool}: {result.content}")
    return sent


def by_file(functions: list[str]) -> dict[str, list[str]]:
    """The functions of each file."""
    found: dict[str, list[str]] = defaultdict(list)
    for function in functions:
        file, name = function.split(":", 1)
        found[file].append(name)
    return found


def main() -> None:
    """Count, and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", metavar="PATH", help="name the functions of this path")
    wanted = parser.parse_args().list
    for name, functions in walked().items():
        files = by_file(functions)
        aim = AIMS.get(name)
        shown = f"   aim {aim.functions:4} in {aim.files}" if aim else ""
        print(f"{name:28} {len(functions):4} functions in {len(files):3} files{shown}")
        if name == wanted:
            for file, names in files.items():
                print(f"    {file}: {', '.join(names)}")


if __name__ == "__main__":
    if len(sys.argv) == 4:  # the gateway of a run, in a process of its own
        steps = Steps()
        asyncio.run(smoke.serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), steps, mcp=True))
        print(json.dumps(steps.summary))
    else:
        main()
