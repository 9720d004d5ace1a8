"""Models drive real programs through MCP, over every way in, and read little for it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from http_api.app import Mounted, create_app
from mcp_gateway.transports import HttpTransports
from shared.domain.identity import LOCAL
from shared.gateway import Gateway, open_gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from tests.support.http_server import serving
from tests.support.mcp_stack import client_of, gateway_with, settings_for
from tests.support.mcp_terminal import DIALOG, VIM, Model, needs
from tests.support.processes import lives
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server
from tests.support.stdio_process import COMMAND, bare
from tests.support.telnet_device import running_telnet_device

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]
"""The SDK leaves its own streams to the garbage collector when a connection ends."""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells begin as they do for a new user, whatever the one who runs the tests has in a .bashrc."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@asynccontextmanager
async def in_memory(folder: Path, mode: str) -> AsyncIterator[Client]:
    async with gateway_with(folder / "data") as gateway, client_of(gateway, mode=mode) as client:
        yield client


@asynccontextmanager
async def over_stdio(folder: Path, mode: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(command=COMMAND, args=["stdio"], env=bare(folder, PYTHONPATH=str(ROOT)), cwd="/")
    with (folder / "stderr").open("w") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
            yield client


@asynccontextmanager
async def over_http(folder: Path, mode: str) -> AsyncIterator[Client]:
    settings = settings_for(folder / "data", rate_limit_per_minute=0)
    transports = HttpTransports()
    app = create_app(
        lambda: open_gateway(settings), mounts=[Mounted(routes=transports.routes, lifespan=transports.lifespan)]
    )
    async with app.opened(), serving(app, on_stopping=app.stop) as running, httpx2.AsyncClient(timeout=60) as http:
        transport = streamable_http_client(running.url + "/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


WAYS: Mapping[str, Callable[[Path], AbstractAsyncContextManager[Client]]] = {
    "memory modern": lambda folder: in_memory(folder, "auto"),
    "memory legacy": lambda folder: in_memory(folder, "legacy"),
    "stdio": lambda folder: over_stdio(folder, "legacy"),
    "http": lambda folder: over_http(folder, "auto"),
}


@pytest.fixture(params=["memory modern", "memory legacy"])
async def model(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Model]:
    async with WAYS[request.param](tmp_path) as client:
        yield Model(client)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway_with(tmp_path / "data") as opened:
        yield opened


@needs(VIM)
@needs("less")
@pytest.mark.parametrize("way", WAYS)
async def test_a_host_edits_pages_runs_and_leaves(tmp_path: Path, way: str) -> None:
    async with asyncio.timeout(60), WAYS[way](tmp_path) as client:
        model = Model(client)
        await model.plain_shell(cwd=str(tmp_path))
        shell = int((await model.send("echo pid=$$=", waitFor="ready"))["text"].split("=")[-2])
        assert shell > 0
        editor = await model.sees(r"\[New", f"{VIM} -u NONE -N -i NONE notes.txt\n")
        assert editor["fullScreen"] is True
        typed = await model.sees("(?s)buy milk.*INSERT", keys="ibuy milk")
        assert "0: buy milk" in typed["text"].splitlines()
        await model.send(keys="<Esc>")
        assert (await model.leaves(":wq<Enter>"))["text"].strip() == "$"
        assert (tmp_path / "notes.txt").read_text() == "buy milk\n"
        await model.sees("^500$", "seq 1 500 > numbers; LESS= less numbers\n", keys="G")
        await model.leaves("q")
        beside = await model.run("cat notes.txt; exit 3", sessionId=model.id)
        assert (beside["stdout"], beside["exitCode"]) == ("buy milk\n", 3)
        await model.close()
        assert (await model.call("list_terminals"))["sessions"] == []
        assert "session_not_found" in await model.refused("read_terminal", sessionId=model.id)
    assert model.tokens < 1_200


@needs(VIM)
async def test_a_file_is_edited_in_vim(model: Model, tmp_path: Path) -> None:
    await model.plain_shell(cwd=str(tmp_path))
    opened = await model.send(f"{VIM} -u NONE -N -i NONE poem.txt")
    if "poem.txt" not in opened["text"]:  # a slow machine
        opened = await model.read()
    assert opened["view"] == "screen"
    assert opened["waitEnded"] == "screen"
    written = await model.sees("(?s)^rose$.*^is a rose.*INSERT", keys="irose<Enter>is a rose<<3")
    assert written["view"] == "diff"
    assert {"0: rose", "1: is a rose<3"} <= set(written["text"].splitlines())
    assert (written["cursorRow"], written["cursorCol"]) == (1, 11)
    await model.send(keys="<Esc>")
    assert (await model.leaves(":wq<Enter>"))["view"] == "text"
    assert (tmp_path / "poem.txt").read_text() == "rose\nis a rose<3\n"
    assert model.tokens < 800


@needs("less")
async def test_a_long_file_is_paged_and_the_screen_is_as_before(model: Model, tmp_path: Path) -> None:
    (tmp_path / "numbers").write_text("".join(f"number {number}\n" for number in range(1, 10_001)))
    await model.plain_shell(cwd=str(tmp_path))
    await model.send("clear; echo was-here")
    opened = await model.sees("^number 23$", "LESS= less numbers\n")
    assert opened["fullScreen"] is True
    assert opened["text"].startswith("number 1\nnumber 2\n")
    await model.sees("^number 46$", keys="<PageDown>")
    end = await model.sees("^number 10000$", keys="G")
    assert end["text"].startswith("number 9978\n")
    await model.sees("^number 155$", keys="?number 155$<Enter>")
    await model.leaves("q")
    after = await model.read()
    assert after["fullScreen"] is False
    assert after["text"].splitlines() == ["was-here", "$ LESS= less numbers", "$"]
    assert model.tokens < 1_300


@needs("top")
async def test_top_is_seen_as_a_screen_though_it_draws_on_the_main_one(model: Model) -> None:
    await model.plain_shell()
    seen = await model.sees(r"PID\s+USER", "top -d 60\n")
    assert seen["fullScreen"] is False
    assert seen["view"] != "text"
    assert "load average" in seen["text"].splitlines()[0]
    await model.leaves("q")
    assert model.tokens < 2_200


async def test_a_python_session_takes_several_lines_at_once(model: Model) -> None:
    await model.plain_shell()
    begun = await model.send(f"PYTHON_BASIC_REPL=1 NO_COLOR=1 {sys.executable} -q")
    assert begun["match"] == ">>>"
    answer = await model.send("def double(number):\n    return 2 * number\n\ndouble(21)\n", keys="<Enter>")
    assert "\n42\n" in answer["text"]
    await model.sees("^asleep$", "import time; print('asleep'); time.sleep(60)\n")
    interrupted = await model.send(keys="<C-c>")
    assert "KeyboardInterrupt" in interrupted["text"]
    assert (await model.send(keys="<C-d>"))["match"] == "$"
    assert model.tokens < 800


async def test_what_is_pasted_into_a_shell_waits_for_enter(model: Model, tmp_path: Path) -> None:
    await model.plain_shell(cwd=str(tmp_path))
    await model.call("send_to_terminal", sessionId=model.id, text="touch one\ntouch two", paste=True, waitFor="silence")
    assert not (tmp_path / "one").exists()
    await model.send(keys="<Enter>")
    assert (tmp_path / "one").exists()
    assert model.tokens < 450


async def test_a_password_is_asked_for_and_never_shown(model: Model) -> None:
    await model.plain_shell()
    asked = await model.send("read -s -p 'Password: ' given; echo; echo length ${#given}")
    assert asked["waitEnded"] == "password"
    assert asked["match"] == "Password:"
    assert "Do not ask the user" in asked["note"]
    answered = await model.send("correct horse")
    assert "length 13" in answered["text"]
    await model.read()
    await model.read(cursor=0)
    assert "correct horse" not in model.said
    assert model.tokens < 700


async def test_an_installer_is_answered(model: Model, tmp_path: Path) -> None:
    (tmp_path / "install.py").write_text(DIALOG)
    await model.plain_shell(cwd=str(tmp_path))
    asked = await model.sees(r"\(\*\) sda", f"{sys.executable} install.py\n")
    assert asked["fullScreen"] is True
    assert "Which disk?" in asked["text"]
    moved = await model.sees(r"\(\*\) sdb", keys="<Down>")
    assert moved["view"] == "diff"
    assert [line.partition(":")[0] for line in moved["text"].splitlines()] == ["3", "4"]
    await model.sees(r"Erase it\?", keys="<Enter>")
    await model.sees(r"\(\*\) yes", keys="<Down>")
    done = await model.send(keys="<Enter>")
    assert done["fullScreen"] is False
    assert "installed: sdb yes" in done["text"]
    assert model.tokens < 1_800


@needs("git")
@needs("less")
async def test_a_log_is_read_in_its_pager(model: Model, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path)}
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=env, check=True)
    for number in range(30):
        commit = [*git, "commit", "-q", "--allow-empty", "-m", f"change {number}"]
        subprocess.run(commit, cwd=tmp_path, env=env, check=True)
    await model.plain_shell(cwd=str(tmp_path))
    seen = await model.sees("(?s)change 29.*^:", "LESS= GIT_PAGER=less git log\n")
    assert seen["fullScreen"] is True
    await model.sees("^ +change 0$", keys="<End>G")
    await model.leaves("q")
    assert model.tokens < 1_300


async def test_a_host_over_ssh_is_worked_on_without_its_password_being_known(gateway: Gateway, tmp_path: Path) -> None:
    home = tmp_path / "far"
    home.mkdir()
    async with running_ssh_server(home) as server, client_of(gateway) as client:
        model = Model(client)
        saved = {"name": "box", "type": "ssh", "host": "127.0.0.1", "port": server.port}
        await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, {**saved, "username": USER, "password": PASSWORD})
        (connection,) = (await model.call("list_terminals"))["connections"]
        assert connection == {"name": "box", "type": "ssh", "host": "127.0.0.1", "username": USER}
        opened = await model.open(connection="box")
        assert (opened["type"], opened["username"]) == ("ssh", USER)
        await model.send("PS1='$ '")
        assert str(home) in (await model.send("pwd"))["text"]
        written = await model.call(
            "write_remote_file", sessionId=model.id, path="greeting.txt", content="grüß dich\n" * 3
        )
        assert (written["size"], written["created"]) == (36, True)
        assert "Replaced" not in str(written)
        assert "exists" in await model.refused(
            "write_remote_file", sessionId=model.id, path="greeting.txt", content="x"
        )
        first = await model.call("read_remote_file", sessionId=model.id, path="greeting.txt", limit=16)
        rest = await model.call("read_remote_file", sessionId=model.id, path="greeting.txt", offset=first["nextOffset"])
        assert first["content"] + rest["content"] == "grüß dich\n" * 3
        assert rest["nextOffset"] is None
        listed = await model.call("list_remote_files", sessionId=model.id)
        assert "greeting.txt" in [entry["name"] for entry in listed["entries"]]
        beside = await model.run("wc -c < greeting.txt; exit 2", sessionId=model.id)
        assert (beside["stdout"].strip(), beside["exitCode"]) == ("36", 2)
        asked = await model.send("read -s -p '[sudo] password for tester: ' given; echo; echo length ${#given}")
        assert asked["waitEnded"] == "password"
        answered = await model.call("send_to_terminal", sessionId=model.id, secret="password")
        assert f"length {len(PASSWORD)}" in answered["text"]
        unasked = await model.refused("send_to_terminal", sessionId=model.id, secret="password")
        assert "(code: no_password_prompt)" in unasked
        await model.close()
        assert PASSWORD not in model.said
    assert model.tokens < 1_800


async def test_a_device_over_telnet_is_talked_to(gateway: Gateway) -> None:
    async with running_telnet_device(b"Welcome to the switch\r\nlogin: ") as device, client_of(gateway) as client:
        model = Model(client)
        opened = await model.open(type="telnet", host="127.0.0.1", port=device.port)
        assert opened["text"].splitlines() == ["Welcome to the switch", "login: "]
        assert opened["match"] == "login:"
        answer = await model.sees(r"^\[show version\]$", "show version\n")
        assert "[show version]" in answer["text"]
        assert "send_to_terminal" in await model.refused("run_command", command="ls", sessionId=model.id)
        await model.close()
        async with asyncio.timeout(5):
            await device.hung_up.wait()
    assert model.tokens < 450


async def test_a_command_in_the_background_is_followed_to_its_end(model: Model, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    begun = await model.run(f"echo begun; read line < {gate}; echo ended $line; exit 5", background=True)
    model.id = begun["sessionId"]
    first = await model.read(cursor=0, pattern="begun", waitSeconds=10)
    assert (first["text"], first["connected"], first["exitCode"]) == ("begun\n", True, None)
    waiting = await model.read(cursor=first["cursor"], waitFor="exit", waitSeconds=0.2)
    assert waiting["waitEnded"] == "timeout"
    assert f"cursor {waiting['cursor']}" in waiting["note"]
    await asyncio.to_thread(gate.write_text, "well\n")
    last = await model.read(cursor=waiting["cursor"], waitFor="exit", waitSeconds=10)
    assert (last["text"], last["waitEnded"], last["connected"], last["exitCode"]) == ("ended well\n", "exit", False, 5)
    await model.close()
    assert model.tokens < 500


async def test_closing_a_command_in_the_background_ends_its_children(model: Model, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    begun = await model.run(f"sleep 300 & echo started > {pids}; wait", background=True, cwd=str(tmp_path))
    model.id = begun["sessionId"]
    assert (await asyncio.to_thread(pids.read_text)) == "started\n"
    children = psutil.Process().children(recursive=True)
    sleeping = [child for child in children if "sleep" in _name(child)]
    assert sleeping
    await model.close()
    assert not any(lives(child) for child in sleeping)


async def test_leaving_a_wait_does_nothing_to_the_session(model: Model, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    await model.plain_shell()
    call: asyncio.Task[Any] = asyncio.create_task(
        model.send(f"echo be''gun; read line < {gate}; echo got $line", waitSeconds=45)
    )
    await model.read(cursor=0, pattern="^begun$", waitSeconds=10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(gate.write_text, "it\n")
    assert "got it" in (await model.read(cursor=0, pattern="^got it$", waitSeconds=10))["text"]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
