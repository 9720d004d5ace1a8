"""A host starts the gateway, uses it, and leaves: nothing but the protocol on stdout, and nothing left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from mcp_gateway.tools import TOOLS
from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import facts_of
from tests.support.processes import lives
from tests.support.stdio_process import COMMAND, StdioProcess, bare, modern, stdio_process
from tests.support.waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().listening() as server:
        yield server


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_host_lists_chats_runs_and_leaves(tmp_path: Path, scripted: ScriptedServer, era: str) -> None:
    parameters = StdioServerParameters(command=COMMAND, args=["stdio"], env=bare(tmp_path, scripted), cwd="/")
    with (tmp_path / "stderr").open("w") as errors:
        async with asyncio.timeout(30), Client(stdio_client(parameters, errlog=errors), mode=era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
            answer = facts_of(await client.call_tool("chat", {"message": "hi", "maxLayer": "L3"}))
            assert answer["text"].startswith("word0 word1")
            assert answer["provider"] == "openai"
            found = facts_of(await client.call_tool("run_command", {"command": "echo $PPID; echo $OPENAI_API_KEY."}))
            gateway, secret = found["stdout"].splitlines()
            assert secret == "."
            assert await client.read_resource("gateway://health")
            process = psutil.Process(int(gateway))
            family = [process, *process.children(recursive=True)]
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, 5)
    assert not alive
    assert "Traceback" not in (tmp_path / "stderr").read_text()


async def test_stdout_holds_nothing_but_the_protocol(tmp_path: Path) -> None:
    noisy = (
        "import os, threading\n"
        "from mcp_gateway import stdio\n"
        "real = stdio.load\n"
        "def load():\n"
        "    print('noise from python')\n"
        "    os.system('echo noise from a child')\n"
        "    return real()\n"
        "stdio.load = load\n"
        "stdio.main()\n"
    )
    environ = bare(tmp_path, PYTHONPATH=str(ROOT))
    async with stdio_process(environ, command=(sys.executable, "-c", noisy)) as host:
        await host.shake_hands()
        wanted = await host.begin_command("echo noise from a command; echo more >&2")
        result = (await host.answer(wanted))["result"]["structuredContent"]
        assert (result["stdout"], result["stderr"]) == ("noise from a command\n", "more\n")
        host.close_stdin()
        code, rest, errors = await host.ended()
    assert code == 0
    assert rest == ""
    assert "noise from python" in errors
    assert "noise from a child" in errors


async def test_lines_that_are_no_messages_do_not_disturb(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path)) as host:
        await host.write(b'\n{"broken\n[]\n"text"\n\xff\xfe\n')
        await host.shake_hands()
        assert len((await host.ask("tools/list"))["tools"]) == len(TOOLS)


@pytest.mark.parametrize("ending", ["stdin closed", signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_however_it_ends_no_command_is_left(tmp_path: Path, ending: Any) -> None:
    async with stdio_process(bare(tmp_path, SHUTDOWN_GRACE="0")) as host:
        await host.shake_hands()
        command = await running_command(host, tmp_path)
        if isinstance(ending, signal.Signals):
            host.process.send_signal(ending)
        else:
            host.close_stdin()
        code, rest, errors = await host.ended()
    assert not any(lives(process) for process in command)
    assert code == (128 + ending if isinstance(ending, signal.Signals) else 0)
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
    assert "Traceback" not in errors


@pytest.mark.parametrize("ending", ["stdin closed", signal.SIGTERM])
async def test_nor_is_anything_that_runs_in_a_terminal(tmp_path: Path, ending: Any) -> None:
    """In the era without a handshake."""
    pids = tmp_path / "pids"
    async with stdio_process(bare(tmp_path, SHUTDOWN_GRACE="0")) as host:
        opened = await host.ask("tools/call", modern(name="open_terminal", arguments={}))
        line = f"sleep 300 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
        session = opened["structuredContent"]["sessionId"]
        typed = {"sessionId": session, "text": line, "keys": "<Enter>", "waitSeconds": 0}
        sent = await host.ask("tools/call", modern(name="send_to_terminal", arguments=typed))
        assert not sent.get("isError"), sent
        running = await started(pids)
        if isinstance(ending, signal.Signals):
            host.process.send_signal(ending)
        else:
            host.close_stdin()
        await host.ended()
    await until(lambda: not any(lives(process) for process in running))


async def test_a_signal_before_the_gateway_is_open_ends_it_too(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path)) as host:
        await host.shake_hands()
        host.process.send_signal(signal.SIGTERM)
        code, _, errors = await host.ended()
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in errors


async def test_a_host_that_is_killed_leaves_no_gateway_and_no_command(tmp_path: Path) -> None:
    """The host is a process between us and the gateway; it starts a command there and is then shot."""
    host = (
        "import subprocess, sys, json\n"
        f"gateway = subprocess.Popen([{COMMAND!r}, 'stdio'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "def send(**message):\n"
        "    gateway.stdin.write(json.dumps({'jsonrpc': '2.0', **message}).encode() + b'\\n')\n"
        "    gateway.stdin.flush()\n"
        "client = {'protocolVersion': '2025-06-18', 'capabilities': {}, 'clientInfo': {'name': 't', 'version': '1'}}\n"
        "send(id=1, method='initialize', params=client)\n"
        "gateway.stdout.readline()\n"
        "send(method='notifications/initialized')\n"
        "arguments = {'command': sys.argv[1]}\n"
        "send(id=2, method='tools/call', params={'name': 'run_command', 'arguments': arguments})\n"
        "gateway.stdout.readline()\n"
    )
    pids = tmp_path / "pids"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", host, long_command(pids), env=bare(tmp_path), stderr=subprocess.DEVNULL
    )
    try:
        command = await started(pids)
        gateway = psutil.Process(process.pid).children()[0]
        process.kill()
        await process.wait()
        await until(lambda: not any(lives(left) for left in (gateway, *command)))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_host_that_only_stops_reading_is_gone_too(tmp_path: Path) -> None:
    program = "from mcp_gateway import stdio; stdio.LAST_SECONDS = 0.5; stdio.main()"
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env=bare(tmp_path, PYTHONPATH=str(ROOT)),
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(ours)
    assert process.stdin
    process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
    try:
        assert await asyncio.wait_for(process.wait(), 10) == 1
    finally:
        process.stdin.close()


async def test_wrong_settings_are_told_to_the_model_and_to_the_log(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path, API_PORT="many", LOG_LEVEL="loud")) as host:
        await host.shake_hands()
        result = await host.ask("tools/call", {"name": "list_models", "arguments": {}})
        host.close_stdin()
        code, _, errors = await host.ended()
    assert result["isError"] is True
    for text in (result["content"][0]["text"], errors):
        assert "API_PORT" in text
        assert "LOG_LEVEL" in text
    assert code == 0
    assert "Traceback" not in errors


async def test_settings_in_the_hosts_folder_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=many\n")
    async with stdio_process(bare(tmp_path), cwd=str(tmp_path)) as host:
        await host.shake_hands()
        result = await host.ask("tools/call", {"name": "list_models", "arguments": {}})
    assert not result.get("isError"), result


async def test_cancelling_over_the_wire_ends_the_command_without_an_answer(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path)) as host:
        await host.shake_hands()
        pids = tmp_path / "pids"
        call = await host.begin_command(long_command(pids))
        command = await started(pids)
        await host.send("notifications/cancelled", {"requestId": call}, notify=True)
        _, alive = await asyncio.to_thread(psutil.wait_procs, command, 5)
        assert not alive
        ping = await host.send("ping")
        assert json.loads(await host.line())["id"] == ping


def test_the_handshake_needs_none_of_the_heavy_parts() -> None:
    """They cost most of a second; the gateway is opened with them while the host is being answered."""
    program = (
        "import asyncio, sys\n"
        "from mcp import Client\n"
        "from mcp_gateway import cli, stdio\n"
        "async def never():\n"
        "    await asyncio.Event().wait()\n"
        "async def main():\n"
        "    async with Client(stdio.create_server(never), mode='legacy') as client:\n"
        "        await client.list_tools()\n"
        "asyncio.run(main())\n"
        "print(' '.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=ROOT,
        env=os.environ,
    )
    heavy = {
        "aiohttp",
        "alembic",
        "argon2",
        "asyncssh",
        "httpx",
        "genai_prices",
        "http_api",
        "limits",
        "prometheus_client",
        "psycopg",
        "pyte",
        "redis",
        "rich",
        "shared.gateway",
        "sqlalchemy",
        "sqlmodel",
        "structlog",
        "typer",
        "xllamacpp",
    }
    assert not heavy & set(done.stdout.split())


def long_command(pids: Path) -> str:
    """A command with a child of its own that left its process group; it writes both ids, whole."""
    return f"setsid sleep 300 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"


async def started(pids: Path) -> list[psutil.Process]:
    """The processes of a long command."""
    await until(pids.exists, 10)
    return [psutil.Process(int(pid)) for pid in pids.read_text().split()]


async def running_command(host: StdioProcess, folder: Path) -> list[psutil.Process]:
    pids = folder / "pids"
    await host.begin_command(long_command(pids))
    return await started(pids)
