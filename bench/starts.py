"""What is measured outside the chat: how long the processes take to start, and what running a command costs."""

import http.client
import json
import statistics
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import Child, Cores, answers, free_port, on_core
from targets import ask, command, environment, gateway

STARTS = 3
COMMANDS = 60
SHELL_COMMAND = "true"
HANDSHAKE: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
]


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds from the start of a process to its first answer."""

    serve_first: float
    serve_again: float
    stdio_handshake: float
    stdio_tools: float


@dataclass(frozen=True, slots=True)
class Commands:
    """Milliseconds for `true`, median: in a session over REST, and by the shortest way that Python has."""

    rest: float
    subprocess: float


def starts(folder: Path, cores: Cores) -> Starts:
    """Start `serve` on an empty data directory and then on that one again, and `stdio` on it too."""
    data = folder / "starts"
    first = _serve(data, cores)
    again = [_serve(data, cores) for _ in range(STARTS)]
    handshakes, tools = zip(*(_stdio(data, cores) for _ in range(STARTS)), strict=True)
    return Starts(first, statistics.median(again), statistics.median(handshakes), statistics.median(tools))


def _serve(data: Path, cores: Cores) -> float:
    port = free_port()
    child = gateway(data, port, "http://127.0.0.1:9", cores.server)
    try:
        return child.wait_for(answers(port, "/health"))
    finally:
        child.stop()


def _stdio(data: Path, cores: Cores) -> tuple[float, float]:
    """Seconds to the answer to `initialize`, and to that to `tools/list`."""
    environ = environment() | {"DATA_DIR": str(data), "EMBEDDED_MODEL": "off", "OSS_DISCOVERY": "false"}
    began = time.perf_counter()
    child = Child([*command(), "stdio"], folder=data, core=cores.server, environ=environ, pipes=True)
    try:
        _answer(child, HANDSHAKE[:1])
        handshake = time.perf_counter() - began
        tools = _answer(child, HANDSHAKE[1:])["result"]["tools"]
        if not tools:
            raise RuntimeError("tools/list is empty")
        return handshake, time.perf_counter() - began
    finally:
        child.stop()


def _answer(child: Child, messages: list[dict[str, Any]]) -> Any:
    """The answer to the last of these messages."""
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    child.process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    child.process.stdin.flush()
    for line in child.process.stdout:
        found = json.loads(line)
        if found.get("id") == messages[-1]["id"]:
            return found
    raise RuntimeError(f"stdio ended without an answer:\n{child.log()}")


def commands(port: int, cores: Cores) -> Commands:
    """Run `true` over and over, in turn by both ways, on the same core."""
    session = ask(port, "/v1/terminal/sessions", {"type": "local"})["session"]["id"]
    path = f"/v1/terminal/{session}"
    rest: list[float] = []
    direct: list[float] = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        for _ in range(COMMANDS):
            rest.append(_execute(connection, f"{path}/execute"))
            with on_core(cores.server):
                began = time.perf_counter()
                subprocess.run(["sh", "-c", SHELL_COMMAND], check=True)
                direct.append(time.perf_counter() - began)
        connection.request("DELETE", path)
        connection.getresponse().read()
    return Commands(statistics.median(rest) * 1000, statistics.median(direct) * 1000)


def _execute(connection: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    connection.request("POST", path, json.dumps({"command": SHELL_COMMAND}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    result = json.loads(answer.read())
    seconds = time.perf_counter() - began
    if answer.status != 200 or result["result"]["exitCode"] != 0:
        raise RuntimeError(f"execute: {answer.status} {result}")
    return seconds
