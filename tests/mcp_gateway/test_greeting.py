"""The first answers on stdio come before the server is imported, which then goes on with the connection."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.tools import TOOLS
from tests.support.stdio_process import StdioProcess, bare, modern, stdio_process

ROOT = Path(__file__).parents[2]
MOST_MODULES = 450
HEAVY = {"mcp", "mcp_types", "anyio", "starlette", "uvicorn", "httpx", "typer", "sqlalchemy", "asyncssh", "aiohttp"}
CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
CALL = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "run_command"}}


def lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def begun(folder: Path, load: str) -> list[str]:
    """The command of a process whose server is `load`, in place of the real one."""
    program = (
        "import sys, json\n"
        "from mcp_gateway import greeting, launch\n"
        f"def load():\n    {load}\n"
        "greeting.load = load\n"
        "sys.exit(launch.run(launch.Options()))\n"
    )
    return [sys.executable, "-c", program]


def test_the_server_is_imported_only_once_both_are_answered(tmp_path: Path) -> None:
    """The modules that are there when its import begins."""
    command = begun(tmp_path, "print(json.dumps(sorted(sys.modules)), file=sys.stderr, flush=True); os._exit(7)")
    command[-1] = "import os\n" + command[-1]
    pipe = subprocess.PIPE
    environ = bare(tmp_path, PYTHONPATH=str(ROOT))
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ) as process:
        assert process.stdin is not None
        process.stdin.write(lines(INITIALIZE, INITIALIZED, LIST))
        process.stdin.flush()  # and left open: a client that leaves would end the process before the import
        assert process.wait(30) == 7
        said, told = process.communicate()
    answers = [json.loads(line) for line in said.splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2]
    assert len(answers[1]["result"]["tools"]) == len(TOOLS)
    modules = set(json.loads(told.splitlines()[-1]))
    assert not HEAVY & modules
    assert not {"mcp_gateway.server", "mcp_gateway.tools", "shared.gateway"} & modules
    assert len(modules) <= MOST_MODULES


def test_a_client_that_leaves_with_all_answers_ends_it_without_the_server(tmp_path: Path) -> None:
    command = begun(tmp_path, "sys.stdin.read")
    for messages in ((), (INITIALIZE,), (INITIALIZE, INITIALIZED, LIST)):
        done = subprocess.run(
            command,
            input=lines(*messages),
            env=bare(tmp_path, PYTHONPATH=str(ROOT)),
            capture_output=True,
            timeout=30,
            check=True,
        )
        assert len(done.stdout.splitlines()) == sum("id" in message for message in messages)


async def test_the_server_goes_on_with_what_it_has_not_seen(tmp_path: Path) -> None:
    """All at once, the last line without its end."""
    arguments = {"name": "run_command", "arguments": {"command": "echo hi"}}
    call = {**CALL, "params": arguments}
    ping = {"jsonrpc": "2.0", "id": "p", "method": "ping"}
    async with stdio_process(bare(tmp_path)) as host:
        await host.write(b"\n{broken\n" + lines(INITIALIZE, INITIALIZED, call, LIST, ping).rstrip(b"\n"))
        seen = [await with_id(host) for _ in range(3)]
        await host.write(b"\n")
        seen.append(await with_id(host))
        host.close_stdin()
        code, rest, _ = await host.ended()
    assert [answer["id"] for answer in seen] == [1, 2, 3, "p"], "each once, the first ones from data"
    assert seen[2]["result"]["structuredContent"]["stdout"] == "hi\n"
    assert (code, [line for line in rest.splitlines() if "id" in json.loads(line)]) == (0, [])


async def with_id(host: StdioProcess) -> dict[str, Any]:
    """The next message that is an answer."""
    while "id" not in (message := json.loads(await host.line())):
        pass
    return dict(message)


async def test_the_modern_era_is_handed_over_too(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path)) as host:
        assert (await host.ask("server/discover", modern()))["supportedVersions"] == ["2026-07-28"]
        assert len((await host.ask("tools/list", modern()))["tools"]) == len(TOOLS)
        answer = await host.ask("tools/call", modern(name="run_command", arguments={"command": "echo hi"}))
        assert answer["structuredContent"]["stdout"] == "hi\n"
        late = await host.answer(await host.send("initialize", CLIENT))
        assert late["error"]["message"].startswith("connection is serving the 2026-07-28 protocol")
        host.close_stdin()
        assert (await host.ended())[:2] == (0, "")


async def test_a_client_that_says_nothing_finds_the_server_loaded(tmp_path: Path) -> None:
    loaded = tmp_path / "loaded"
    command = begun(tmp_path, f"open({str(loaded)!r}, 'w').close()")
    environ = bare(tmp_path, PYTHONPATH=str(ROOT))
    async with stdio_process(environ, command=tuple(command)) as host:
        async with asyncio.timeout(10):
            while not loaded.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await host.shake_hands()
        assert len((await host.ask("tools/list"))["tools"]) == len(TOOLS)


async def test_a_prefix_names_the_tools_before_and_after(tmp_path: Path) -> None:
    environ = bare(tmp_path, MCP_TOOL_PREFIX="gw_", MCP_TOOLSETS="chat,terminal")
    async with stdio_process(environ) as host:
        answer = await host.ask("initialize", CLIENT)
        assert "`gw_run_command`" in answer["instructions"]
        await host.send("notifications/initialized", notify=True)
        before = (await host.ask("tools/list"))["tools"]
        assert [tool["name"] for tool in before][:3] == ["gw_chat", "gw_explain_route", "gw_run_command"]
        called = await host.ask("tools/call", {"name": "gw_run_command", "arguments": {"command": "echo hi"}})
        assert called["structuredContent"]["stdout"] == "hi\n"
        assert (await host.ask("tools/list"))["tools"] == before
        refused = await host.ask("tools/call", {"name": "run_command", "arguments": {"command": "echo hi"}})
        assert "gw_run_command" in refused["content"][0]["text"]


async def test_a_host_that_does_not_read_ends_it(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *begun(tmp_path, "pass"),
        env=bare(tmp_path, PYTHONPATH=str(ROOT)),
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(ours)
    assert process.stdin
    process.stdin.write(lines(INITIALIZE))
    try:
        assert await asyncio.wait_for(process.wait(), 10) == 1
    finally:
        process.stdin.close()


@pytest.mark.parametrize("prefix", ["1x", "a b", "x" * 21, "a.b"])
def test_a_prefix_that_no_tool_name_can_begin_with_is_refused(tmp_path: Path, prefix: str) -> None:
    from shared.setting_sources import SettingsError, load_settings

    with pytest.raises(SettingsError, match="MCP_TOOL_PREFIX"):
        load_settings({"DATA_DIR": str(tmp_path), "MCP_TOOL_PREFIX": prefix})
