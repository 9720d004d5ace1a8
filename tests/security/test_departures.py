"""A key that is deleted takes with it what runs for it: commands, sessions, calls and chats, whatever began them."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from tests.support.mcp_raw import ACCEPT, McpSession
from tests.support.processes import lives
from tests.support.victim import Victim, of, refused
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SECONDS = itertools.count(4321)
"""For commands that sleep: each so long that it tells them apart."""
SLOW = {"id": "openai/slow", "provider": "openai", "apiModelName": "scripted-n400-itl50", "layer": "L0"}


@dataclass
class Key:
    """One that is to be deleted."""

    victim: Victim
    id: str
    headers: dict[str, str]

    def delete(self) -> None:
        answer = self.victim.http.delete(f"/v1/keys/{self.id}", headers=self.victim.admin)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def key(required: Victim) -> Key:
    made = required.http.post(
        "/v1/keys", json={"name": "leaving", "scopes": ["chat", "terminal"]}, headers=required.admin
    ).json()
    return Key(required, made["key"]["id"], {"Authorization": f"Bearer {made['secret']}"})


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def sleep() -> str:
    return f"sleep {next(SECONDS)}"


def found(victim: Victim, command: str) -> list[psutil.Process]:
    """The processes of the gateway's that run exactly that."""
    return [child for child in psutil.Process(victim.process.pid).children(recursive=True) if runs(child, command)]


def runs(process: psutil.Process, command: str) -> bool:
    try:
        return process.cmdline() == command.split() and lives(process)
    except psutil.Error:
        return False


async def begun(victim: Victim, command: str) -> psutil.Process:
    await until(lambda: bool(found(victim, command)))
    (process,) = found(victim, command)
    return process


async def test_what_runs_in_the_background_ends_with_its_key(required: Victim, key: Key) -> None:
    command = sleep()
    result = McpSession(required.http, key.headers).call("run_command", {"command": command, "background": True})
    assert not result["isError"], result
    process = await begun(required, command)
    key.delete()
    await until(lambda: not lives(process))


def by_rest(key: Key, command: str) -> httpx.Response:
    http = key.victim.http
    opened = http.post("/v1/terminal/sessions", json={"type": "local"}, headers=key.headers)
    path = f"/v1/terminal/{opened.json()['session']['id']}/execute"
    return http.post(path, json={"command": command, "timeoutMs": 60_000}, headers=key.headers)


def in_a_session(key: Key, command: str) -> httpx.Response:
    session = McpSession(key.victim.http, key.headers)
    params = {"name": "run_command", "arguments": {"command": command}}
    return session.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def without_a_session(key: Key, command: str) -> httpx.Response:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "run_command", "arguments": {"command": command}, "_meta": meta}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "run_command"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return key.victim.http.post("/mcp", json=message, headers={**ACCEPT, **headers, **key.headers})


@pytest.mark.parametrize("ask", [by_rest, in_a_session, without_a_session])
async def test_a_command_that_somebody_waits_for_ends_with_their_key(
    required: Victim, key: Key, aside: ThreadPoolExecutor, ask: Callable[[Key, str], httpx.Response]
) -> None:
    command = sleep()
    asking = aside.submit(ask, key, command)
    process = await begun(required, command)
    key.delete()
    await until(lambda: not lives(process))
    answer = asking.result(10)
    if ask is by_rest:
        refused(of(answer), 401)
    assert '"result"' not in answer.text


def test_a_streamed_chat_ends_with_its_key_and_says_so(required: Victim, key: Key) -> None:
    made = required.http.post("/v1/models", json=SLOW, headers=required.admin)
    assert made.status_code in (201, 409), made.text
    payload: dict[str, Any] = {"model": SLOW["id"], "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with required.http.stream("POST", "/v1/chat/completions", json=payload, headers=key.headers) as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert "error" not in next(lines)
        key.delete()
        *_, last = lines
    assert '"code":"unauthenticated"' in last


async def test_what_others_run_goes_on(required: Victim, key: Key) -> None:
    command, own = sleep(), sleep()
    other = McpSession(required.http, required.admin)
    assert not other.call("run_command", {"command": command, "background": True})["isError"]
    McpSession(required.http, key.headers).call("run_command", {"command": own, "background": True})
    process, gone = await begun(required, command), await begun(required, own)
    key.delete()
    await until(lambda: not lives(gone))
    assert lives(process)
    listed = required.http.get("/v1/terminal/sessions", headers=required.admin).json()["sessions"]
    for session in listed:
        required.http.delete(f"/v1/terminal/{session['id']}", headers=required.admin)
    await until(lambda: not lives(process))
