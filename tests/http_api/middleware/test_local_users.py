"""Who on this machine may do what in local mode, asked of a gateway in a process of its own."""

import asyncio
import json
import os
import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.providers.scripted import ScriptedServer
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving
from tests.support.stdio_process import COMMAND, bare, stdio_process
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a connection is"),
]

only_root = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="only root may become another user"
)

ASK = """
import http.client, json, sys
there = http.client.HTTPConnection(sys.argv[1], timeout=10)
for method, path, body in json.loads(sys.argv[2]):
    there.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"} if body is not None else {})
    answer = there.getresponse()
    text = answer.read().decode()
    print(json.dumps([answer.status, json.loads(text) if text.startswith("{") else text]))
"""
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/health", None),
    ("GET", "/v1/models", None),
    ("POST", "/v1/terminal/sessions", {"type": "local"}),
    ("GET", "/v1/keys", None),
    ("PUT", "/v1/layers/L3/toggle", {"enabled": False}),
    ("GET", "/metrics", None),
    ("GET", "/v1/stats", None),
    ("GET", "/v1/usage?key=local", None),
    ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}], "model": "no-such"}),
]
ALLOWED = [200, 200, 403, 403, 403, 403, 403, 403, 404]


def asking(there: Serving) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", ASK, there.url.removeprefix("http://"), json.dumps(CALLS)]


def answers(said: str) -> list[tuple[int, Any]]:
    return [tuple(json.loads(line)) for line in said.splitlines()]


async def said_by_user(uid: int, *command: str) -> str:
    setpriv = [shutil.which("setpriv") or "", f"--reuid={uid}", "--clear-groups"]
    process = await asyncio.create_subprocess_exec(*setpriv, *command, stdout=asyncio.subprocess.PIPE, cwd="/")
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    return said.decode()


async def as_user(there: Serving, uid: int, calls: list[tuple[str, str, Any]] = CALLS) -> list[tuple[int, Any]]:
    return answers(await said_by_user(uid, *asking(there)[:-1], json.dumps(calls)))


async def as_command(there: Serving) -> list[tuple[int, Any]]:
    opened = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()
    path = f"/v1/terminal/{opened['session']['id']}/execute"
    command = f"(setsid {shlex.join(asking(there))} | cat) & wait"
    result = (await there.http.post(path, json={"command": command})).json()["result"]
    return answers(result["stdout"])


def statuses(found: list[tuple[int, Any]]) -> list[int]:
    return [status for status, _ in found]


@pytest.mark.parametrize("sandbox", ["auto", "off"])
async def test_a_command_of_the_gateway_may_chat_and_nothing_more(tmp_path: Path, sandbox: str) -> None:
    async with serving(tmp_path / "data", TERMINAL_SANDBOX=sandbox) as there:
        found = await as_command(there)
        assert statuses(found) == ALLOWED
        assert "a command that this gateway or another one runs" in found[2][1]["error"]
        assert found[2][1]["code"] == "not_your_gateway"
        own = await asyncio.create_subprocess_exec(*asking(there), stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(own.communicate(), 20)
        assert statuses(answers(said.decode())) == [200, 200, 201, 200, 200, 200, 200, 200, 404]


@only_root
async def test_another_user_of_the_machine_may_chat_and_nothing_more(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as there:
        found = await as_user(there, 65534)
        assert statuses(found) == ALLOWED
        assert "LOCAL_USERS=any" in found[2][1]["error"]
        key = (await there.http.post("/v1/keys", json={"name": "theirs", "scopes": ["terminal"]})).json()["key"]
        answer = await there.http.get("/v1/terminal/sessions", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200


@only_root
async def test_another_user_of_the_machine_gets_no_answer_that_was_kept_for_its_user(tmp_path: Path) -> None:
    chat = {"model": "openai/scripted", "messages": [{"role": "user", "content": "a secret of mine"}]}
    path = "/v1/chat/completions"
    async with ScriptedServer().listening() as provider:
        keys = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "x", "ENABLE_CACHE": "true"}
        async with serving(tmp_path / "data", **keys) as there:
            model = {"id": "openai/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0"}
            assert (await there.http.post("/v1/models", json=model)).status_code == 201

            def asked() -> int:
                return sum(seen.path.endswith("completions") for seen in provider.seen)

            for _ in range(2):
                assert (await there.http.post(path, json=chat)).status_code == 200
                assert asked() == 1
            assert statuses(await as_user(there, 65534, [("POST", path, chat)])) == [200]
            assert asked() == 2
            spent = (await there.http.get("/v1/usage?groupBy=key")).json()
            assert {group["group"] for group in spent["groups"]} == {"local", "local-uid-65534"}


@only_root
async def test_all_of_them_may_where_the_operator_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", LOCAL_USERS="any") as there:
        assert statuses(await as_user(there, 65534))[:5] == [200, 200, 201, 200, 200]
        assert statuses(await as_command(there))[:5] == [200, 200, 201, 200, 200]


HIDING = """
import ctypes, select, socket, sys, threading
host, port = sys.argv[1].split(":")
ask = b"GET /v1/keys HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
def in_a_list_of_its_own():
    assert ctypes.CDLL(None).unshare(0x400) == 0
    with socket.create_connection((host, int(port))) as there:
        there.sendall(ask)
        print(there.recv(100)[9:12].decode())
def on_the_way():
    one, two = socket.socketpair()
    answered = select.epoll()
    with socket.create_connection((host, int(port))) as there:
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # what is sent leaves 0.2 s later, when nobody has it
        there.sendall(ask)
        socket.send_fds(one, [b"x"], [there.fileno()])
        answered.register(there, select.EPOLLIN)
    answered.poll()
    with socket.socket(fileno=socket.recv_fds(two, 1, 1)[1][0]) as there:
        print(there.recv(100)[9:12].decode())
way = threading.Thread(target={"list": in_a_list_of_its_own, "way": on_the_way}[sys.argv[2]])
way.start()
way.join()
"""


@pytest.mark.parametrize("way", ["list", "way"], ids=["in a thread's own list", "on the way to another process"])
async def test_a_command_cannot_hide_whose_its_connection_is(tmp_path: Path, way: str) -> None:
    async with serving(tmp_path / "data") as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        script = shlex.join([sys.executable, "-c", HIDING, there.url.removeprefix("http://"), way])
        answer = await there.http.post(f"/v1/terminal/{session}/execute", json={"command": script})
        assert answer.json()["result"]["stdout"].split() == ["403"], answer.text


CALL_TOOLS = """
import asyncio, sys
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
import websockets
async def main(url, session):
    ways = {"auto": streamable_http_client, "legacy": streamable_http_client, "sse": sse_client}
    for name, connect in ways.items():
        there = connect(url + ("/sse" if name == "sse" else "/mcp"))
        async with Client(there, mode="auto" if name == "auto" else "legacy") as client:
            answer = await client.call_tool("run_command", {"command": "echo in-$((1+1))"})
            print(name, answer.is_error, "in-2" in str(answer.content))
    try:
        async with websockets.connect(url.replace("http", "ws", 1) + f"/v1/terminal/{session}/ws"):
            print("connected")
    except websockets.InvalidStatus as error:
        print("refused", error.response.status_code)
asyncio.run(main(*sys.argv[1:]))
"""


async def test_tools_and_live_terminals_are_kept_from_commands_too(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", TERMINAL_SANDBOX="off") as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        script = shlex.join([sys.executable, "-c", CALL_TOOLS, there.url, session])
        answer = await there.http.post(f"/v1/terminal/{session}/execute", json={"command": script})
        lines = answer.json()["result"]["stdout"].splitlines()
        assert lines[:3] == ["auto True False", "legacy True False", "sse True False"], answer.text
        assert lines[3].startswith("refused"), answer.text


async def test_the_user_of_the_gateway_runs_commands_over_every_transport(tmp_path: Path) -> None:
    """The other side of the test above: what refuses commands there is their identity."""
    async with serving(tmp_path / "data") as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        script = [sys.executable, "-c", CALL_TOOLS, there.url, session]
        process = await asyncio.create_subprocess_exec(*script, stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(process.communicate(), 20)
        expected = ["auto False True", "legacy False True", "sse False True", "connected"]
        assert said.decode().splitlines() == expected


@only_root
async def test_another_user_runs_no_command_over_any_transport(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        said = await said_by_user(65534, sys.executable, "-c", CALL_TOOLS, there.url, session)
        lines = said.splitlines()
        assert lines[:3] == ["auto True False", "legacy True False", "sse True False"]
        assert lines[3].startswith("refused")


OFTEN = """
import http.client, sys
for _ in range(12):
    there = http.client.HTTPConnection(sys.argv[1], timeout=10)
    there.request("GET", "/v1/keys")
    print(there.getresponse().status)
"""


async def test_each_of_several_processes_knows_the_commands_of_all(tmp_path: Path, redis_server: RedisServer) -> None:
    shared = {"WORKERS": "2", "REDIS_URL": redis_server.url, "TERMINAL_SANDBOX": "off"}
    async with serving(tmp_path / "data", **shared) as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        script = shlex.join([sys.executable, "-I", "-S", "-c", OFTEN, there.url.removeprefix("http://")])
        answer = await there.http.post(f"/v1/terminal/{session}/execute", json={"command": script})
        assert answer.json()["result"]["stdout"].split() == ["403"] * 12, answer.text


FROM_EVERYWHERE = """
import socket, sys
port = int(sys.argv[1])
ways = [(socket.AF_INET, "127.0.0.1", source) for source in ("127.0.0.1", "127.0.0.7", *sys.argv[2:])]
ways += [(socket.AF_INET6, "::ffff:127.0.0.1", source) for source in ("::ffff:127.0.0.1", "::ffff:127.9.9.9")]
ways += [(socket.AF_INET6, "::ffff:127.0.0.1", "::ffff:" + source) for source in sys.argv[2:]]
ways += [(socket.AF_INET6, "::1", "::1")]
for family, target, source in ways:
    with socket.socket(family) as there:
        try:
            there.bind((source, 0))
            there.connect((target, port))
        except OSError:  # there is no IPv6
            continue
        there.sendall(b"GET /v1/keys HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
        print(source, there.recv(100)[9:12].decode())
"""


def outer_addresses() -> list[str]:
    """The address of this machine on its way to others, if it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("203.0.113.1", 9))
        except OSError:
            return []
        return [trial.getsockname()[0]]


def from_everywhere(there: Serving) -> list[str]:
    port = there.url.rpartition(":")[2]
    return [sys.executable, "-I", "-S", "-c", FROM_EVERYWHERE, port, *outer_addresses()]


@only_root
async def test_another_user_is_known_from_every_source_address(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", API_HOST="localhost") as there:
        ways = (await said_by_user(65534, *from_everywhere(there))).splitlines()
        assert len(ways) >= 2
        assert {way.split()[1] for way in ways} == {"403"}, ways


async def test_a_command_is_known_from_every_source_address(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", API_HOST="localhost", TERMINAL_SANDBOX="off") as there:
        command = {"command": shlex.join(from_everywhere(there))}
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        ways = (await there.http.post(f"/v1/terminal/{session}/execute", json=command)).json()["result"]["stdout"]
        assert {way.split()[1] for way in ways.splitlines()} == {"403"}, ways


@only_root
async def test_a_listener_on_an_address_of_the_machine_knows_its_users_too(tmp_path: Path) -> None:
    if not (found := outer_addresses()):
        pytest.skip("this machine has no address but loopback")
    async with serving(tmp_path / "data", "--insecure-no-auth", API_HOST=found[0]) as there:
        assert statuses(await as_user(there, 65534)) == ALLOWED
        assert (await there.http.get("/v1/keys")).status_code == 200


ORPHAN = """
import os, signal, subprocess, sys
if os.fork():
    os._exit(0)
os.setsid()
os.environ.clear()
def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
above, pid = [], os.getppid()
while b"shared.terminal.keeper" in open(f"/proc/{pid}/cmdline", "rb").read():
    above.append(pid)
    pid = parent(pid)
for pid in above:
    os.kill(pid, signal.SIGSTOP)  # the warden cannot end us, the keeper cannot see to it
for pid in reversed(above):
    os.kill(pid, signal.SIGKILL)
answer = subprocess.run(sys.argv[2:], capture_output=True, text=True).stdout
with open(sys.argv[1] + "~", "w") as file:
    file.write(answer)
os.rename(sys.argv[1] + "~", sys.argv[1])
"""


async def test_a_command_that_has_killed_all_above_itself_is_still_known(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", TERMINAL_SANDBOX="off", TERMINAL_MAX_PROCESSES="0") as there:
        session = (await there.http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
        told = tmp_path / "told"
        script = shlex.join([sys.executable, "-I", "-S", "-c", ORPHAN, str(told), *asking(there)])
        await there.http.post(f"/v1/terminal/{session}/execute", json={"command": script})
        await until(told.exists, 15)
        assert statuses(answers(told.read_text())) == ALLOWED


async def test_a_command_of_another_gateway_is_no_user_of_this_one(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", TERMINAL_SANDBOX="off") as there:
        environ = bare(tmp_path / "second", TERMINAL_SANDBOX="off")
        (tmp_path / "second").mkdir()
        command = [COMMAND, "run", "--", shlex.join(asking(there))]
        run = await asyncio.create_subprocess_exec(*command, env=environ, cwd="/", stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(run.communicate(), 20)
        assert statuses(answers(said.decode())) == ALLOWED
        async with stdio_process(environ) as host:
            await host.shake_hands()
            answer = await host.ask("tools/call", {"name": "run_command", "arguments": {"command": command[-1]}})
            assert "not_your_gateway" in json.dumps(answer)


@only_root
async def test_each_local_guest_has_an_identity_a_rate_and_free_layers_of_its_own(tmp_path: Path) -> None:
    path = "/v1/chat/completions"
    async with ScriptedServer().listening() as provider:
        environ = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "x", "RATE_LIMIT_PER_MINUTE": "6"}
        async with serving(tmp_path / "data", LOCAL_GUESTS_PER_MINUTE="3", SPEND_GUARD="false", **environ) as there:
            for layer in ("L0", "L1"):
                model = {"id": f"openai/{layer}", "provider": "openai", "apiModelName": "scripted", "layer": layer}
                assert (await there.http.post("/v1/models", json=model)).status_code == 201
            chats = [
                ("POST", path, {"model": f"openai/{layer}", "messages": [{"role": "user", "content": "hello"}]})
                for layer in ("L0", "L1", "L0", "L0")
            ]
            for uid in (65534, 65533):
                found = await as_user(there, uid, chats)
                assert statuses(found) == [200, 403, 200, 429]
                assert found[1][1]["code"] == "key_limit"
                assert "LOCAL_GUESTS_PER_MINUTE" in found[3][1]["error"]
            spent = (await there.http.get("/v1/usage?groupBy=key")).json()
            assert {group["group"] for group in spent["groups"]} == {"local-uid-65534", "local-uid-65533"}


async def test_a_telnet_session_of_another_gateway_is_no_user_of_this_one(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as there, serving(tmp_path / "second") as second:
        target = {"type": "telnet", "host": "127.0.0.1", "port": int(there.url.rpartition(":")[2])}
        session = (await second.http.post("/v1/terminal/sessions", json=target)).json()["session"]["id"]
        typed = "GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        wait = {"for": "output", "pattern": "not_your_gateway|HTTP.1.1 200"}
        said = await second.http.post(f"/v1/terminal/{session}/send", json={"data": typed, "wait": wait})
        assert "HTTP/1.1 403" in said.text, said.text
