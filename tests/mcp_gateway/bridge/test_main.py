"""`stdio --connect` with a real gateway: found or not, gone and back, with a key and without."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from shared.providers.scripted import ScriptedServer
from tests.support.mcp_stack import facts_of
from tests.support.serving import Serving, serving
from tests.support.stdio_process import COMMAND, StdioProcess, bare, modern, stdio_process

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "served", TERMINAL_SANDBOX="off") as found:
        yield found


def connecting(url: str = "") -> tuple[str, ...]:
    return (COMMAND, "stdio", "--connect", *([url] if url else []))


async def models(host: StdioProcess) -> dict[str, Any]:
    return await host.ask("tools/call", {"name": "list_models", "arguments": {}})


async def test_two_hosts_share_one_gateway_and_what_is_open_in_it(running: Serving, tmp_path: Path) -> None:
    environ = bare(tmp_path, API_PORT=str(httpx.URL(running.url).port))
    async with (
        stdio_process(environ, command=connecting()) as one,
        stdio_process(environ, command=connecting(f"{running.url}/mcp")) as two,
    ):
        await asyncio.gather(one.shake_hands(), two.shake_hands())
        opened = await one.ask("tools/call", {"name": "open_terminal", "arguments": {}})
        listed = await two.ask("tools/call", {"name": "list_terminals", "arguments": {}})
        assert opened["structuredContent"]["sessionId"] in json.dumps(listed)
    assert not (tmp_path / "data").exists()


async def test_a_gateway_that_was_started_again_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    async with serving(tmp_path / "served") as first:
        port = str(httpx.URL(first.url).port)
        async with stdio_process(bare(tmp_path), command=connecting(first.url)) as host:
            await host.shake_hands()
            assert not (await models(host)).get("isError")
            await first.kill()
            asked = await host.send("tools/call", {"name": "list_models", "arguments": {}})
            async with serving(tmp_path / "served", API_PORT=port):
                answer = await host.answer(asked)
                # It may take longer than the bridge waits, on a busy machine.
                assert "result" in answer or "No gateway answers" in answer["error"]["message"]
                assert not (await models(host)).get("isError")
                host.close_stdin()
                code, _, errors = await host.ended()
    assert code == 0
    assert "started anew" in errors
    assert "Traceback" not in errors


async def told(host: StdioProcess, *, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The messages of the server up to one like that."""
    found: list[dict[str, Any]] = []
    while not found or not until(found[-1]):
        found.append(json.loads(await host.line()))
    return found


def is_update(message: dict[str, Any]) -> bool:
    return message.get("params") == {"uri": "models://registry"}


async def test_what_a_host_has_subscribed_to_is_told_by_a_gateway_that_was_started_again(tmp_path: Path) -> None:
    async with serving(tmp_path / "served") as first:
        port = str(httpx.URL(first.url).port)
        async with stdio_process(bare(tmp_path), command=connecting(first.url)) as host:
            await host.shake_hands()
            await host.ask("resources/subscribe", {"uri": "models://layers"})
            await host.ask("resources/unsubscribe", {"uri": "models://layers"})
            await host.ask("resources/subscribe", {"uri": "models://registry"})
            await host.ask("logging/setLevel", {"level": "debug"})
            await first.kill()
            async with serving(tmp_path / "served", API_PORT=port) as second:
                asked = await host.send("tools/call", {"name": "list_models", "arguments": {}})
                heard = await told(host, until=lambda message: message.get("id") == asked)
                assert [message["params"]["level"] for message in heard if "level" in message.get("params", {})]
                if not any(map(is_update, heard)):
                    heard += await told(host, until=is_update)
                assert "models://layers" not in json.dumps(heard)
                model = {"id": "openai:new", "provider": "openai", "apiModelName": "new", "layer": "L1"}
                assert (await second.http.post("/v1/models", json=model)).is_success
                await told(host, until=is_update)


async def test_without_a_gateway_the_process_opens_its_own(tmp_path: Path) -> None:
    async with stdio_process(bare(tmp_path), command=connecting(NOWHERE)) as host:
        await host.shake_hands()
        assert not (await models(host)).get("isError")
        host.close_stdin()
        code, rest, errors = await host.ended()
    assert (code, rest) == (0, "")
    assert f"No gateway runs at {NOWHERE}" in errors


async def test_another_server_at_that_port_is_not_taken_for_a_gateway(tmp_path: Path, scripted: ScriptedServer) -> None:
    url = scripted.base_url.removesuffix("/v1")
    async with stdio_process(bare(tmp_path), command=connecting(url)) as host:
        await host.shake_hands()
        host.close_stdin()
        assert "No gateway runs at" in (await host.ended())[2]


async def test_a_key_comes_from_the_environment(tmp_path: Path) -> None:
    async with serving(tmp_path / "served", AUTH_MODE="required", ADMIN_PASSWORD="a long password") as running:
        login = {"username": "admin", "password": "a long password"}
        token = (await running.http.post("/v1/auth/login", json=login)).json()["token"]
        made = await running.http.post(
            "/v1/keys", json={"name": "host", "scopes": ["models:read"]}, headers={"authorization": f"Bearer {token}"}
        )
        secrets = {"MCP_GATEWAY_TOKEN": made.json()["secret"], "OPENAI_API_KEY": "sk-of-the-gateway"}
        environ = bare(tmp_path, **secrets)
        async with stdio_process(environ, command=connecting(running.url)) as host:
            await host.shake_hands()
            assert not (await models(host)).get("isError")
            shown = await asyncio.to_thread(Path(f"/proc/{host.process.pid}/environ").read_bytes)
            assert not [secret for secret in secrets.values() if secret.encode() in shown]
        async with stdio_process(bare(tmp_path), command=connecting(running.url)) as host:
            asked = await host.send("tools/list", {})
            assert "wants a key in MCP_GATEWAY_TOKEN" in (await host.answer(asked))["error"]["message"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1", "is no address of a gateway"),
        ("http://127.0.0.1:99999", "is no address of a gateway"),
        ("http://127.0.0.1:x", "is no address of a gateway"),
        ("http://me:secret@127.0.0.1:1", "takes no password"),
    ],
)
async def test_addresses_that_cannot_be_are_refused(tmp_path: Path, url: str, said: str) -> None:
    async with stdio_process(bare(tmp_path), command=connecting(url)) as host:
        code, rest, errors = await host.ended()
    assert (code, rest) == (2, "")
    assert said in errors


async def test_a_server_that_stops_ends_every_kind_of_open_stream(tmp_path: Path) -> None:
    """`serve` with a stream of each transport and era open, told to stop: it goes in order, and each host hears of it."""
    async with serving(tmp_path / "served") as running:
        environ = bare(tmp_path)
        async with (
            stdio_process(environ, command=connecting(running.url)) as older,
            stdio_process(environ, command=connecting(running.url)) as newer,
            running.http.stream("GET", "/sse") as sse,
        ):
            assert sse.status_code == 200
            await older.shake_hands()
            waiting = await older.begin_command("sleep 60")
            wanted = {"notifications": {"toolsListChanged": True}}
            listening = await newer.send("subscriptions/listen", modern(**wanted))
            assert "acknowledged" in await newer.line()
            running.process.terminate()
            answers = await asyncio.gather(older.answer(waiting), newer.answer(listening))
            assert await asyncio.wait_for(running.process.wait(), 15) == 0
        log = (tmp_path / "served" / "log").read_text()
    assert answers[0].keys() & {"error", "result"}
    assert "result" in answers[1]  # it only waited: it is closed, not broken off
    assert "Traceback" not in log


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_stops_lets_a_chat_come_to_its_end(
    tmp_path: Path, scripted: ScriptedServer, mode: str
) -> None:
    provider = {"OPENAI_BASE_URL": scripted.base_url, "OPENAI_API_KEY": "x", "SPEND_GUARD": "false"}
    async with serving(tmp_path / "served", **provider) as running:
        slow = {
            "id": "openai:scripted-n8-itl250",
            "provider": "openai",
            "apiModelName": "scripted-n8-itl250",
            "layer": "L0",
        }
        assert (await running.http.post("/v1/models", json=slow)).is_success

        begun = asyncio.Event()

        async def stop(*_: Any) -> None:
            if not begun.is_set():
                running.process.terminate()  # once: the second time insists
            begun.set()

        async with asyncio.timeout(20), Client(f"{running.url}/mcp", mode=mode) as client:
            await client.list_tools()  # which the client does by itself otherwise, before it takes a result
            arguments = {"message": "hi", "model": "scripted-n8-itl250"}
            answer = await client.call_tool("chat", arguments, progress_callback=stop)
        assert facts_of(answer)["text"].split() == [f"word{number}" for number in range(8)]
        assert await asyncio.wait_for(running.process.wait(), 15) == 0
