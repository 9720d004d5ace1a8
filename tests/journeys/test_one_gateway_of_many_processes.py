"""Several processes that act as one gateway: whichever is asked, a session is where it was begun."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mcp import MCPError
from mcp.client import Client
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from shared.providers.scripted import ScriptedServer
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MODEL = {"id": "mine/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0", "priority": 0}
SHARED = {
    "JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
    "SECRETS_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "TERMINAL_SANDBOX": "off",
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def two(tmp_path: Path, redis: RedisServer, **more: str) -> AsyncIterator[tuple[Serving, Serving]]:
    """Two processes as on two machines: they share the database and Redis, and reach each other over HTTP."""
    settings = {**SHARED, "REDIS_URL": redis.url, "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.sqlite3'}", **more}
    ports = [str(free_port()), str(free_port())]
    each = [{**settings, "API_PORT": port, "NODE_URL": f"http://127.0.0.1:{port}"} for port in ports]
    async with serving(tmp_path / "a", **each[0]) as one, serving(tmp_path / "b", **each[1]) as other:
        yield one, other


async def opened(gateway: Serving, **fields: Any) -> str:
    answer = await gateway.http.post("/v1/terminal/sessions", json={"type": "local", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["session"]["id"])


async def test_a_command_that_another_process_runs_names_the_chat_that_led_to_it(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with ScriptedServer().listening() as provider:
        scripted = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
        async with two(tmp_path, redis_server, **scripted) as (one, other):
            session_id = await opened(one)
            await other.http.post("/v1/models", json=MODEL)
            asked = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
            chat = await other.http.post("/v1/chat/completions", json=asked)
            assert chat.status_code == 200, chat.text
            step = {"traceparent": chat.headers["traceparent"]}
            ran = await other.http.post(f"/v1/terminal/{session_id}/execute", json={"command": "exit 4"}, headers=step)
            assert ran.json()["result"]["exitCode"] == 4, ran.text
            async with asyncio.timeout(10):  # each process writes its own chats, half a second later at most
                while len(steps := (await one.http.get(f"/v1/trace/{chat.headers['x-trace-id']}")).json()["steps"]) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert {step["kind"] for step in steps} == {"chat", "command"}
            (command,) = (step for step in steps if step["kind"] == "command")
            assert (command["exitCode"], command["causeBy"]) == (4, "trace")
            assert command["causeRequestId"] == chat.headers["x-request-id"]


async def test_an_expired_session_is_told_by_either_process_until_the_one_that_had_it_ends(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two(tmp_path, redis_server, TERMINAL_IDLE_TIMEOUT="1") as (one, other):
        path = f"/v1/terminal/{await opened(one)}"
        async with asyncio.timeout(10):
            while (await other.http.get("/v1/terminal/sessions")).json()["sessions"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        expired = await other.http.get(path)
        assert (expired.status_code, expired.json()["code"]) == (404, "session_expired")
        assert expired.json() | {"requestId": ""} == (await one.http.get(path)).json() | {"requestId": ""}
        assert "TERMINAL_IDLE_TIMEOUT" in expired.json()["error"]
        one.process.terminate()
        await one.process.wait()
        async with asyncio.timeout(15):
            while (gone := await other.http.get(path)).status_code != 404:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert gone.json()["code"] == "session_not_found"
        assert "ended with the process" in gone.json()["error"]


async def test_a_session_is_used_from_either_process(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        session_id = await opened(one, title="here", record=True)
        path = f"/v1/terminal/{session_id}"
        assert (await other.http.get(path)).json()["session"]["title"] == "here"
        ran = await other.http.post(
            f"{path}/execute", json={"command": "cd /usr; export A=1; echo out; echo err >&2; exit 3"}
        )
        assert ran.json()["result"] | {"durationMs": 0} == (
            await one.http.post(f"{path}/execute", json={"command": "cd /usr; echo out; echo err >&2; exit 3"})
        ).json()["result"] | {"durationMs": 0}
        assert (await one.http.post(f"{path}/execute", json={"command": "echo $A; pwd"})).json()["result"][
            "stdout"
        ] == "1\n/usr\n"
        cut = await one.http.post(f"{path}/execute", json={"command": "seq 1 5000", "maxOutputBytes": 100})
        kept = f"/v1/terminal/outputs/{cut.json()['result']['outputId']}?tail=1"
        assert (await other.http.get(kept)).json()["output"] == "5000\n"
        typed = {"data": "echo to$((40+2))\n", "wait": {"for": "output", "pattern": "to42", "timeoutMs": 5000}}
        sent = (await other.http.post(f"{path}/send", json=typed)).json()
        assert sent["reason"] == "matched"
        read = (await other.http.get(f"{path}/output?cursor=0")).json()
        assert read == (await one.http.get(f"{path}/output?cursor=0")).json()
        assert "to42" in "".join(read["output"])
        async with connect(f"{other.url.replace('http', 'ws')}{path}/ws") as live:
            await live.send(json.dumps({"type": "input", "data": "echo li$((4+3))ve\n"}))
            async with asyncio.timeout(5):
                seen = ""
                while "li7ve" not in seen:
                    seen += json.loads(await live.recv())["data"]
        listed = (await other.http.get("/v1/terminal/sessions")).json()["sessions"]
        assert [session["id"] for session in listed] == [session_id]
        assert (await other.http.delete(path)).json() == {"success": True}
        for gateway in (one, other):
            assert (await gateway.http.get(path)).status_code == 404


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sessions_of_either_process_are_resources_and_only_ones_own_are_watched(
    tmp_path: Path, redis_server: RedisServer, mode: str
) -> None:
    async with two(tmp_path, redis_server) as (one, other), Client(f"{other.url}/mcp", mode=mode) as client:
        there, here = [f"terminal://{await opened(gateway)}/output" for gateway in (one, other)]
        uris = {resource.uri for resource in (await client.list_resources()).resources}
        assert {there, here} <= uris
        assert (await client.read_resource(there)).contents
        if mode == "legacy":
            await client.subscribe_resource(here)
            with pytest.raises(MCPError, match=r"another process of the gateway.*read_terminal"):
                await client.subscribe_resource(there)
        else:
            async with client.listen(resource_subscriptions=[there, here]) as stream:
                assert stream.honored.resource_subscriptions == [here]


@asynccontextmanager
async def host_that_wants_a_code(folder: Path, gateway: Serving) -> AsyncIterator[SshServer]:
    """A host with a saved connection named `far`, which asks for a one-time code after the password."""
    folder.mkdir()
    async with running_ssh_server(folder, questions=("Password: ", "Verification code: "), code="482913") as host:
        saved = {"name": "far", "type": "ssh", "host": "127.0.0.1", "port": host.port, "username": USER}
        made = await gateway.http.post("/v1/terminal/connections", json={**saved, "password": PASSWORD})
        assert made.is_success, made.text
        yield host


async def test_a_code_is_given_to_either_process_and_its_login_used_from_either(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two(tmp_path, redis_server) as (one, other), host_that_wants_a_code(tmp_path / "far", one) as host:
        refused = await one.http.post("/v1/terminal/sessions", json={"connectionId": "far"})
        assert refused.json()["code"] == "code_required", refused.text
        login = refused.json()["details"]["loginId"]
        (waiting,) = (await other.http.get("/v1/terminal/logins")).json()["logins"]
        assert waiting["id"] == login
        answered = await other.http.post(f"/v1/terminal/{login}/answer", json={"answers": ["482913"]})
        assert answered.json() == {"success": True}
        made = await other.http.post("/v1/terminal/sessions", json={"connectionId": "far", "loginId": login})
        assert made.status_code == 201, made.text
        ran = await other.http.post(f"/v1/terminal/{made.json()['session']['id']}/execute", json={"command": "echo in"})
        assert ran.json()["result"]["stdout"] == "in\n"
        assert host.logins == len(host.connections) == 1


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_forms_repeats_its_call_once_the_code_is_given(
    tmp_path: Path, redis_server: RedisServer, mode: str
) -> None:
    async with (
        two(tmp_path, redis_server) as (one, other),
        host_that_wants_a_code(tmp_path / "far", one) as host,
        Client(f"{one.url}/mcp", mode=mode) as client,
    ):
        command = {"command": "echo in", "connection": "far"}
        refused = await client.call_tool("run_command", command)
        assert "(code: code_required)" in refused.content[0].text
        (waiting,) = (await other.http.get("/v1/terminal/logins")).json()["logins"]
        await other.http.post(f"/v1/terminal/{waiting['id']}/answer", json={"answers": ["482913"]})
        ran = await client.call_tool("run_command", command)
        assert ran.structured_content["stdout"] == "in\n"
        assert host.logins == len(host.connections) == 1


async def test_what_is_wrong_is_said_in_the_same_words(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        path = f"/v1/terminal/{await opened(one)}"
        for request in ({"command": "true", "timeoutMs": 9_999_999}, {"command": "true", "maxOutputBytes": 10**12}):
            answers = [await gateway.http.post(f"{path}/execute", json=request) for gateway in (one, other)]
            bodies = [answer.json() | {"requestId": ""} for answer in answers]
            assert [answer.status_code for answer in answers] == [400, 400]
            assert bodies[0] == bodies[1]
        refused = await other.http.post(f"{path}/resize", json={"cols": 0, "rows": 1})
        assert refused.status_code == 400


async def test_nobody_gets_at_the_sessions_of_others(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        path = f"/v1/terminal/{await opened(one)}"
        made = (await other.http.post("/v1/keys", json={"name": "else", "scopes": ["terminal"]})).json()
        as_other = {"Authorization": f"Bearer {made['secret']}"}
        assert (await other.http.get(path, headers=as_other)).status_code == 404
        assert (await other.http.get("/v1/terminal/sessions", headers=as_other)).json() == {"sessions": []}
        ran = await other.http.post(f"{path}/execute", json={"command": "true"}, headers=as_other)
        assert ran.status_code == 404


async def test_the_limit_counts_those_of_all_processes(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server, TERMINAL_MAX_SESSIONS_PER_CALLER="3") as (one, other):
        body = {"type": "local"}
        rush = [gateway.http.post("/v1/terminal/sessions", json=body) for gateway in (one, other) * 3]
        answers = await asyncio.gather(*rush)
        assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 429, 429, 429]
        opened_id = next(answer.json()["session"]["id"] for answer in answers if answer.status_code == 201)
        await one.http.delete(f"/v1/terminal/{opened_id}")
        async with asyncio.timeout(10):
            while (await other.http.post("/v1/terminal/sessions", json=body)).status_code != 201:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the word has to get around


async def test_a_command_over_mcp_runs_where_its_session_is_and_dies_with_its_call(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        session_id = await opened(one)
        seen: list[str] = []

        async def on_progress(_: float, __: float | None, message: str | None) -> None:
            seen.append(message or "")

        async with Client(f"{other.url}/mcp") as client:
            ran = await client.call_tool("run_command", {"command": "echo mcp; exit 4", "sessionId": session_id})
            assert (ran.structured_content or {})["exitCode"] == 4
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.5):
                    await client.call_tool(
                        "run_command",
                        {"command": "sleep 77.125", "sessionId": session_id},
                        progress_callback=on_progress,
                    )
        await until(lambda: not _runs("77.125"))


async def test_an_mcp_session_may_be_asked_for_anywhere(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        async with Client(f"{one.url}/mcp", mode="legacy") as client:
            assert (await client.list_tools()).tools
        begin = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        }
        accept = {"Accept": "application/json, text/event-stream"}
        begun = await one.http.post("/mcp", json=begin, headers=accept)
        session = {**accept, "Mcp-Session-Id": begun.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-06-18"}
        told = await other.http.post(
            "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session
        )
        assert told.status_code == 202
        listed = await other.http.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, headers=session
        )
        assert listed.status_code == 200
        assert '"run_command"' in listed.text
        assert (await other.http.delete("/mcp", headers=session)).status_code == 200
        gone = await one.http.post("/mcp", json={"jsonrpc": "2.0", "id": 3, "method": "tools/list"}, headers=session)
        assert gone.status_code == 404


async def test_an_event_stream_is_answered_on_whichever_process_is_posted_to(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two(tmp_path, redis_server) as (one, other), one.http.stream("GET", "/sse") as stream:
        lines = stream.aiter_lines()
        endpoint = ""
        async for line in lines:
            if line.startswith("data:"):
                endpoint = line.removeprefix("data:").strip()
                break
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
        begin = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        }
        for message in (begin, ping):
            assert (await other.http.post(endpoint, json=message)).status_code == 202
        answered: list[int] = []
        async with asyncio.timeout(5):
            async for line in lines:
                if line.startswith("data:"):
                    answered.append(json.loads(line.removeprefix("data:"))["id"])
                if answered == [1, 7]:
                    break


async def test_the_sessions_of_a_process_that_died_are_gone(tmp_path: Path, redis_server: RedisServer) -> None:
    async with two(tmp_path, redis_server) as (one, other):
        path = f"/v1/terminal/{await opened(one)}"
        await one.kill()
        answer = await other.http.post(f"{path}/execute", json={"command": "true"})
        assert answer.status_code == 503
        assert answer.json()["error"].endswith("try again, or open a new session.")
        assert (await other.http.get("/v1/terminal/sessions")).json()["sessions"] == []
        assert await opened(other)


async def test_an_administrator_oversees_the_sessions_of_all_processes(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    password = "correct horse battery staple"
    required = {"AUTH_MODE": "required", "ADMIN_USERNAME": "admin", "ADMIN_PASSWORD": password}
    async with two(tmp_path, redis_server, **required) as (one, other):
        login = await other.http.post("/v1/auth/login", json={"username": "admin", "password": password})
        other.http.headers["Authorization"] = f"Bearer {login.json()['token']}"
        made = await other.http.post("/v1/keys", json={"name": "alice", "scopes": ["terminal"]})
        one.http.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        async with asyncio.timeout(5):
            while (await one.http.get("/v1/terminal/sessions")).status_code == 401:
                pass  # it takes up keys of the other process within a second
        session_id = await opened(one)
        listed = (await other.http.get("/v1/terminal/sessions?all=true")).json()["sessions"]
        assert [(session["id"], session["owner"][:4]) for session in listed] == [(session_id, "key-")]
        path = f"/v1/terminal/{session_id}"
        assert (await other.http.get(f"{path}/output?cursor=0")).status_code == 200
        assert (await one.http.get(path)).json()["session"]["watchers"][0]["name"] == "admin"
        assert (await other.http.delete(path)).json() == {"success": True}
        assert (await one.http.get(path)).status_code == 404


@pytest.mark.parametrize("signature", ["", "1795580000.000 0 0", "garbage"])
async def test_nobody_else_may_ask_as_a_process_does(tmp_path: Path, redis_server: RedisServer, signature: str) -> None:
    port = str(free_port())
    settings = {**SHARED, "REDIS_URL": redis_server.url, "API_PORT": port, "NODE_URL": f"http://127.0.0.1:{port}"}
    async with serving(tmp_path / "a", **settings) as one:
        for target in ("call", "stream", "mounted", "nothing"):
            answer = await one.http.post(
                f"/internal/{target}", content=b'{"caller": {}}', headers={"x-gateway-node": signature}
            )
            assert answer.status_code == 401


async def test_a_process_that_names_anothers_address_as_its_own_is_told(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = {**SHARED, "REDIS_URL": redis_server.url, "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.sqlite3'}"}
    ports = [str(free_port()), str(free_port())]
    url = f"http://127.0.0.1:{ports[0]}"
    async with (
        serving(tmp_path / "a", **settings, API_PORT=ports[0], NODE_URL=url) as one,
        serving(tmp_path / "b", **settings, API_PORT=ports[1], NODE_URL=url) as wrong,
    ):
        for gateway in (one, wrong):
            health: dict[str, Any] = {"nodes": {}}
            async with asyncio.timeout(30):
                while not any(health["nodes"].values()):
                    health = (await gateway.http.get("/health")).json()
            (problem,) = filter(None, health["nodes"].values())
            assert problem.startswith("another process answers there")
            assert health["status"] == "degraded"
    assert "cannot be asked at its own NODE_URL" in (tmp_path / "b" / "log").read_text()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"JWT_SECRET": "zyxwvutsrqponmlkjihgfedcba9876543210"}, "another JWT_SECRET"),
        ({"SECRETS_KEY": "OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg="}, "SECRETS_KEY is not the key"),
    ],
)
async def test_a_process_with_another_secret_does_not_start(
    tmp_path: Path, redis_server: RedisServer, setting: dict[str, str], says: str
) -> None:
    settings = {**SHARED, "REDIS_URL": redis_server.url, "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.sqlite3'}"}
    async with serving(tmp_path / "a", **settings, NODE_URL="http://127.0.0.1:9"):
        with pytest.raises(AssertionError, match=says):
            async with serving(tmp_path / "b", **{**settings, **setting}, NODE_URL="http://127.0.0.1:10"):
                pass


def _lives(worker: psutil.Process) -> bool:
    return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE


def _runs(words: str) -> bool:
    return any(words in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))


def _workers(gateway: Serving) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(gateway.process.pid).children()
        if _lives(child) and "--tie" in child.cmdline()
    ]


def _shown(pid: int, settings: dict[str, str]) -> list[str]:
    """Which secrets the system shows of a process."""
    environ = Path(f"/proc/{pid}/environ").read_text()
    assert "JWT_SECRET=" in environ
    return [name for name in ("JWT_SECRET", "SECRETS_KEY", "REDIS_URL") if settings[name] in environ]


def _requests(metrics: httpx.Response) -> dict[str, float]:
    """The commands that each worker answered over HTTP; 0 for one that answered none."""
    samples = [sample for family in text_string_to_metric_families(metrics.text) for sample in family.samples]
    workers = {
        sample.labels["worker"]: 0.0 for sample in samples if sample.name == "gateway_worker_up" and sample.value
    }
    for sample in samples:
        if sample.name == "gateway_http_requests_total" and sample.labels["path"].endswith("/execute"):
            workers[sample.labels["worker"]] += sample.value
    budgets = [sample.labels for sample in samples if sample.name == "gateway_budget_limit_usd"]
    assert [labels["budget"] for labels in budgets] == ["settings-day"], "what is stored once is told once"
    return workers


async def test_workers_serve_one_port_and_a_dead_one_is_replaced(tmp_path: Path, redis_server: RedisServer) -> None:
    settings = {
        **SHARED,
        "REDIS_URL": redis_server.url,
        "WORKERS": "2",
        "BUDGET_USD_PER_DAY": "5",
        "AUTO_BUDGET_USD_PER_DAY": "0",
    }
    async with serving(tmp_path / "a", **settings) as gateway:
        await until(lambda: len(_workers(gateway)) == 2, 10)
        workers = _workers(gateway)
        assert not _shown(gateway.process.pid, settings)
        await until(lambda: not any(_shown(worker.pid, settings) for worker in workers), 10)  # once they have begun
        session_id, makers, sent = await opened(gateway), set(), 0
        async with asyncio.timeout(20):
            while len(makers) < 2:  # each connection is given to one of them
                async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
                    ran = await http.post(f"/v1/terminal/{session_id}/execute", json={"command": "echo ok"})
                    assert ran.json()["result"]["stdout"] == "ok\n", ran.text
                    made = (await http.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
                    makers.add(made.split("-")[2][:8])
                    await http.delete(f"/v1/terminal/{made}")
                    told: dict[str, float] = {}
                    while set(told) != {"0", "1"}:  # whichever worker is asked tells of all that answer in time
                        told = _requests(await http.get("/metrics"))
                    assert sum(told.values()) == (sent := sent + 1)
        workers[0].kill()
        await until(lambda: len({worker.pid for worker in _workers(gateway)} - {workers[0].pid}) == 2, 20)
        workers = _workers(gateway)
        async with asyncio.timeout(20):
            while True:
                try:
                    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
                        assert (await http.get("/health")).status_code == 200
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
    assert gateway.process.returncode == 0
    assert not any(_lives(worker) for worker in workers)
    (told,) = [line for line in (tmp_path / "a" / "log").read_text().splitlines() if "has died" in line]
    assert json.loads(told)["exit_code"] == -signal.SIGKILL  # in the form of the workers' own lines


async def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path, redis_server: RedisServer) -> None:
    async with serving(tmp_path / "a", **SHARED, REDIS_URL=redis_server.url, WORKERS="2") as gateway:
        workers = _workers(gateway)
        os.kill(gateway.process.pid, signal.SIGKILL)
        assert gateway.process.stdout is not None
        async with asyncio.timeout(15):
            await gateway.process.stdout.read()  # to its end, which is when the last of them has gone
        assert not any(_lives(worker) for worker in workers)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "set REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0", "NODE_URL": "http://10.0.0.1:3000"}, "NODE_URL names one"),
    ],
)
async def test_workers_that_cannot_act_as_one_are_refused(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        async with serving(tmp_path / "a", WORKERS="2", **settings):
            pass


async def test_a_socket_file_whose_path_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot be used: AF_UNIX path too long"):
        async with serving(tmp_path / "a", NODE_URL=f"unix:/{'x' * 200}"):
            pass
