"""What each way in imports before it answers: hosts and people wait for exactly that."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.support.bridged import far_server
from tests.support.serving import serving
from tests.support.stdio_process import bare, stdio_process

CORE = {"aiohttp", "alembic", "asyncssh", "httpx", "redis", "shared.gateway", "sqlalchemy", "sqlmodel", "xllamacpp"}
PROTOCOL = {"mcp", "mcp_types", "starlette", "uvicorn"}
COMFORT = {"rich", "typer"}
IMPORT = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)", re.MULTILINE)


def imported(told: str) -> set[str]:
    """The modules that `-X importtime` has told of, and the packages they are in."""
    return {name for found in IMPORT.findall(told) for name in (found, found.partition(".")[0])}


def ours(arguments: Iterable[str]) -> tuple[str, ...]:
    return (sys.executable, "-X", "importtime", "-m", "mcp_gateway", *arguments)


async def test_the_bridge_needs_neither_the_core_nor_the_protocol(tmp_path: Path) -> None:
    async with far_server() as far:
        environ = bare(tmp_path, PYTHONPATH=str(Path(__file__).parents[2]))
        async with stdio_process(environ, command=ours(["stdio", "--connect", far.url])) as host:
            asked = await host.send("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}})
            assert (await host.answer(asked))["id"] == asked
            host.close_stdin()
            code, _, errors = await host.ended()
    found = imported(errors)
    assert code == 0
    assert "mcp_gateway.bridge.bridge" in found
    assert not found & (CORE | PROTOCOL | COMFORT | {"pydantic", "http_api"})


def test_help_needs_neither_the_core_nor_the_protocol(tmp_path: Path) -> None:
    environ = bare(tmp_path, PYTHONPATH=str(Path(__file__).parents[2]))
    done = subprocess.run(ours(["--help"]), env=environ, capture_output=True, text=True, timeout=30, check=True)
    found = imported(done.stderr)
    assert "typer" in found
    assert not found & (CORE | PROTOCOL | {"http_api"})


async def test_serve_answers_before_it_loads_the_protocol_which_it_has_for_whoever_calls(tmp_path: Path) -> None:
    async with serving(tmp_path, PYTHONPROFILEIMPORTTIME="1") as gateway:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        kinds = {"accept": "application/json, text/event-stream"}
        assert (await gateway.http.get("/health")).status_code == 200
        answer = await gateway.http.post("/mcp", json=ping, headers=kinds)
        assert answer.status_code in (200, 400)  # which depends on the era, but the protocol says it
        assert answer.json()["jsonrpc"] == "2.0"
    order = IMPORT.findall((tmp_path / "log").read_text())
    assert order.index("mcp.server.lowlevel") > order.index("http_api.app")
    assert order.index("mcp.server.lowlevel") > order.index("shared.storage.database")
    loaded_last = order.index("mcp_gateway.http_serving")
    assert order.index("mcp_types") < loaded_last
    assert not PROTOCOL - {"starlette", "uvicorn"} & set(order[: order.index("mcp_gateway.commands.welcome")])
