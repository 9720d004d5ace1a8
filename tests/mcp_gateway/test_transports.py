"""MCP over HTTP as `serve` mounts it: a real server, real clients, both transports and both eras."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import ResourceUpdated
from mcp.types import ElicitResult, ResourceUpdatedNotification

from http_api.app import create_app
from mcp_gateway.http_serving import security_of
from mcp_gateway.sidecar import mounted
from mcp_gateway.tools import TOOLS
from mcp_gateway.transports import HttpTransports
from shared.gateway import Gateway, open_gateway
from shared.providers.scripted import ScriptedServer
from tests.support.databases import prepare
from tests.support.http_server import Running, serving
from tests.support.mcp_stack import add, facts_of, settings_for, text_of
from tests.support.processes import lives
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")]
"""The SDK leaves its own streams to the garbage collector when a connection breaks off."""

KINDS = ("http modern", "http legacy", "sse")


@dataclass
class Site:
    """A server that is up, and its gateway."""

    gateway: Gateway
    running: Running

    @asynccontextmanager
    async def client(
        self, kind: str, *, path: str = "", headers: dict[str, str] | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        async with AsyncExitStack() as stack:
            if kind == "sse":
                transport: Any = sse_client(self.running.url + (path or "/sse"), headers=headers)
                mode = "auto"
            else:
                http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=10))
                transport = streamable_http_client(self.running.url + (path or "/mcp"), http_client=http)
                mode = "legacy" if kind.endswith("legacy") else "auto"
            yield await stack.enter_async_context(Client(transport, mode=mode, **options))


@asynccontextmanager
async def site(folder: Path, scripted: ScriptedServer, **more: Any) -> AsyncIterator[Site]:
    settings = settings_for(folder, scripted, **{"rate_limit_per_minute": 0, **more})
    app = create_app(lambda: open_gateway(prepare(settings)), mounts=[mounted(settings)])
    async with app.opened() as gateway, serving(app, on_stopping=app.stop) as running:
        yield Site(gateway, running)


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What the SDK left behind goes while its warnings are still expected."""
    yield
    gc.collect()


@pytest.fixture
async def served(tmp_path: Path, scripted: ScriptedServer) -> AsyncIterator[Site]:
    async with site(tmp_path, scripted) as found:
        await add(found.gateway, "scripted-echo", priority=0)
        yield found


@pytest.mark.parametrize("kind", KINDS)
async def test_every_tool_and_resource_works(served: Site, kind: str) -> None:
    async with served.client(kind) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [*TOOLS]
        answer = facts_of(await client.call_tool("chat", {"message": "hello there", "model": "scripted-echo"}))
        assert answer["text"] == "hello there "
        assert facts_of(await client.call_tool("list_models", {"search": "scripted-echo"}))["total"] == 1
        assert facts_of(await client.call_tool("run_command", {"command": "echo hi; exit 4"}))["exitCode"] == 4
        assert (await client.read_resource("gateway://health")).contents


@pytest.mark.parametrize("kind", KINDS)
async def test_the_user_is_asked_for_leave_to_spend(served: Site, kind: str) -> None:
    asked: list[str] = []

    async def agree(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"agree": True})

    await served.gateway.registry.update("openai:scripted-echo", {"enabled": False})
    free = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
    await add(served.gateway, "scripted-n3-len", **free)
    async with served.client(kind, elicitation_callback=agree) as client:
        facts = facts_of(await client.call_tool("chat", {"message": "hi", "escalate": True, "maxLayer": "L1"}))
    assert (facts["model"], facts["layer"]) == ("gpt-6-luna", "L1")
    assert len(asked) == 1


async def test_the_slash_at_the_end_makes_no_difference(served: Site) -> None:
    async with served.client("http modern", path="/mcp/") as client:
        assert (await client.list_tools()).tools
    async with httpx.AsyncClient() as plain:
        for path in ("/mcp", "/mcp/"):
            answer = await plain.post(served.running.url + path, json={"jsonrpc": "2.0", "id": 1, "method": "nonsense"})
            assert not answer.is_redirect


@pytest.mark.parametrize("kind", KINDS)
async def test_progress_arrives_while_the_call_runs(served: Site, kind: str) -> None:
    await add(served.gateway, "scripted-n4-itl300")
    told: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with served.client(kind) as client:
        arguments = {"message": "hi", "model": "scripted-n4-itl300"}
        facts_of(await client.call_tool("chat", arguments, progress_callback=note))
    assert any(message.startswith("word0 ") for message in told)


@pytest.mark.parametrize("kind", KINDS)
async def test_cancelling_closes_the_upstream_and_ends_the_command(
    served: Site, scripted: ScriptedServer, tmp_path: Path, kind: str
) -> None:
    await add(served.gateway, "scripted-hang")
    pid = tmp_path / "pid"
    async with served.client(kind) as client, asyncio.timeout(10):
        chat: asyncio.Task[Any] = asyncio.create_task(
            client.call_tool("chat", {"message": "hi", "model": "scripted-hang"})
        )
        await scripted.arrived.wait()
        chat.cancel()
        await scripted.left.wait()
        command: asyncio.Task[Any] = asyncio.create_task(client.call_tool("run_command", {"command": sleeping(pid)}))
        await until(pid.exists)
        process = psutil.Process(int(pid.read_text()))
        command.cancel()
        await until(lambda: not lives(process))
        await asyncio.gather(chat, command, return_exceptions=True)


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
async def test_changes_are_told_to_those_who_asked(served: Site, kind: str) -> None:
    told = asyncio.Event()

    async def handle(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification) and str(message.params.uri) == "models://registry":
            told.set()

    async with served.client(kind, message_handler=handle) as client, asyncio.timeout(5):
        if kind == "http legacy":
            await client.subscribe_resource("models://registry")
            await add(served.gateway, "fresh")
            await told.wait()
            return
        async with client.listen(resource_subscriptions=["models://registry"]) as stream:
            await add(served.gateway, "fresh")
            assert await anext(aiter(stream)) == ResourceUpdated(uri="models://registry")


async def test_a_connection_that_breaks_off_leaves_no_command_behind(served: Site, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    reader, writer = await served.running.connect()
    writer.write(modern_call("run_command", {"command": sleeping(pid)}))
    await until(pid.exists)
    process = psutil.Process(int(pid.read_text()))
    writer.transport.abort()
    await until(lambda: not lives(process))
    assert await reader.read() == b""


async def test_an_sse_stream_that_breaks_off_leaves_no_command_behind(served: Site, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    reader, writer = await served.running.connect()
    writer.write(b"GET /sse HTTP/1.1\r\nhost: localhost\r\n\r\n")
    endpoint = (
        await reader.readuntil(b"\r\n\r\n") + await reader.readuntil(b"session_id=")
    ) and await reader.readexactly(32)
    async with httpx.AsyncClient(base_url=served.running.url, params={"session_id": endpoint.decode()}) as plain:
        call = {"name": "run_command", "arguments": {"command": sleeping(pid)}}
        for message in (
            INITIALIZE,
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
        ):
            assert (await plain.post("/messages/", json=message)).status_code == 202
    await until(pid.exists)
    process = psutil.Process(int(pid.read_text()))
    writer.transport.abort()
    await until(lambda: not lives(process))


@pytest.mark.parametrize("kind", KINDS)
async def test_stopping_the_server_ends_calls_and_streams(
    tmp_path: Path, scripted: ScriptedServer, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = tmp_path / "pid"

    async def use(found: Site) -> None:
        async with found.client(kind) as client:
            await client.call_tool("run_command", {"command": sleeping(pid)})

    async with asyncio.timeout(15):
        async with site(tmp_path / "data", scripted) as found:
            using = asyncio.create_task(use(found))
            await until(pid.exists)
            process = psutil.Process(int(pid.read_text()))
        assert not lives(process)
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)
    told = capfd.readouterr().err
    assert "ASGI" not in told
    assert "request failed" not in told


async def test_with_authentication_a_key_is_needed_and_its_scopes_count(
    tmp_path: Path, scripted: ScriptedServer
) -> None:
    async with site(tmp_path, scripted, auth_mode="required") as found:
        await add(found.gateway, "scripted-echo")
        _, key = await found.gateway.api_keys.create("test", ["chat", "models:read"])
        async with httpx.AsyncClient(base_url=found.running.url) as plain:
            for path in ("/mcp", "/mcp/", "/messages/?session_id=1"):
                refused = await plain.post(path, json={})
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"].startswith("Bearer")
            assert (await plain.get("/sse")).status_code == 401
        for kind in KINDS:
            async with found.client(kind, headers={"authorization": f"Bearer {key}"}) as client:
                arguments = {"message": "hello", "model": "scripted-echo"}
                assert facts_of(await client.call_tool("chat", arguments))["text"] == "hello "
                refused_call = await client.call_tool("run_command", {"command": "true"})
                assert refused_call.is_error
                assert "scope 'terminal'" in text_of(refused_call)


async def test_a_session_is_of_use_to_nobody_but_its_opener(tmp_path: Path, scripted: ScriptedServer) -> None:
    async with site(tmp_path, scripted, auth_mode="required") as found:
        keys = [(await found.gateway.api_keys.create(name, ["models:read"]))[1] for name in ("one", "two")]
        own, other = ({"authorization": f"Bearer {key}"} for key in keys)
        async with httpx.AsyncClient(base_url=found.running.url) as plain:
            opened = await plain.post("/mcp", json=INITIALIZE, headers={**own, **ACCEPT})
            session = {"mcp-session-id": opened.headers["mcp-session-id"], **ACCEPT}
            listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
            assert (await plain.post("/mcp", json=listing, headers={**other, **session})).status_code == 404
            assert (await plain.post("/mcp", json=listing, headers={**own, **session})).status_code == 200


async def test_a_login_counts_as_a_key_does_and_both_end_at_once(tmp_path: Path, scripted: ScriptedServer) -> None:
    password = "correct horse battery"
    async with site(tmp_path, scripted, auth_mode="required", admin_password=password) as found:
        await found.gateway.accounts.ensure_admin("admin", password)
        login = await found.gateway.accounts.login("admin", password, "127.0.0.1")
        key, secret = await found.gateway.api_keys.create("test", ["models:read"])
        for kind in KINDS:
            for token in (login.token, secret):
                async with found.client(kind, headers={"authorization": f"Bearer {token}"}) as client:
                    assert not (await client.call_tool("list_models", {})).is_error
            async with found.client(kind, headers={"x-api-key": secret}) as client:
                assert not (await client.call_tool("list_models", {})).is_error
        async with httpx.AsyncClient(base_url=found.running.url, headers=ACCEPT) as plain:
            for token, end in (
                (secret, lambda: found.gateway.api_keys.delete(key.id)),
                (login.token, lambda: found.gateway.accounts.set_password("admin", "another one, later")),
            ):
                own = {"authorization": f"Bearer {token}"}
                opened = await plain.post("/mcp", json=INITIALIZE, headers=own)
                session = {"mcp-session-id": opened.headers["mcp-session-id"], **own}
                listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
                assert (await plain.post("/mcp", json=listing, headers=session)).status_code == 200
                await end()
                ended = await plain.post("/mcp", json=listing, headers=session)
                assert ended.status_code == 401
                assert "/.well-known/oauth-protected-resource/mcp" in ended.headers["www-authenticate"]


async def test_an_event_stream_ends_with_the_credentials_that_opened_it(
    tmp_path: Path, scripted: ScriptedServer
) -> None:
    async with site(tmp_path, scripted, auth_mode="required") as found:
        made = [await found.gateway.api_keys.create(name, ["models:read"]) for name in ("one", "two")]
        (key, secret), (_, other) = made

        async def events(secret: str) -> list[str]:
            seen = []
            async with plain.stream("GET", "/sse", headers={"x-api-key": secret}) as stream:
                async for line in stream.aiter_lines():
                    seen.append(line)
                    opened.release()
            return seen

        opened = asyncio.Semaphore(0)
        async with httpx.AsyncClient(base_url=found.running.url, timeout=10) as plain:
            ending, staying = asyncio.create_task(events(secret)), asyncio.create_task(events(other))
            async with asyncio.timeout(10):
                for _ in range(4):
                    await opened.acquire()
                await found.gateway.api_keys.delete(key.id)
                assert await ending
            assert not staying.done()
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_chat_ends_with_the_key_that_asked_for_it(tmp_path: Path, scripted: ScriptedServer, kind: str) -> None:
    async with site(tmp_path, scripted, auth_mode="required") as found, asyncio.timeout(10):
        await add(found.gateway, "scripted-hang")
        key, secret = await found.gateway.api_keys.create("test", ["chat"])
        async with found.client(kind, headers={"x-api-key": secret}) as client:
            arguments = {"message": "hi", "model": "scripted-hang"}
            chat: asyncio.Task[Any] = asyncio.create_task(client.call_tool("chat", arguments))
            await scripted.arrived.wait()
            await found.gateway.api_keys.delete(key.id)
            await scripted.left.wait()
            chat.cancel()
            await asyncio.gather(chat, return_exceptions=True)


async def test_messages_of_an_sse_session_are_taken_from_its_opener_only(
    tmp_path: Path, scripted: ScriptedServer
) -> None:
    async with site(tmp_path, scripted, auth_mode="required") as found:
        keys = [(await found.gateway.api_keys.create(name, ["models:read"]))[1] for name in ("one", "two")]
        own, other = ({"x-api-key": key} for key in keys)
        async with (
            httpx.AsyncClient(base_url=found.running.url, timeout=5) as plain,
            plain.stream("GET", "/sse", headers=own) as stream,
        ):
            lines = stream.aiter_lines()
            async with asyncio.timeout(5):
                while not (line := await anext(lines)).startswith("data: "):
                    pass
            path = line.removeprefix("data: ")
            assert (await plain.post(path, json=INITIALIZE, headers=other)).status_code in (403, 404)
            assert (await plain.post(path, json=INITIALIZE)).status_code == 401
            assert (await plain.post(path, json=INITIALIZE, headers=own)).status_code == 202


async def test_only_our_own_name_and_pages_get_through(served: Site) -> None:
    async with httpx.AsyncClient(base_url=served.running.url) as plain:
        for path in ("/mcp", "/sse"):
            strange = await plain.post(path, json=INITIALIZE, headers={**ACCEPT, "host": "evil.example"})
            assert strange.status_code == 421
            foreign = await plain.post(path, json=INITIALIZE, headers={**ACCEPT, "origin": "http://evil.example"})
            assert foreign.status_code == 403
        port = served.running.port
        for host in (f"localhost:{port}", "localhost", "127.0.0.1", f"[::1]:{port}"):
            answer = await plain.post("/mcp", json=INITIALIZE, headers={**ACCEPT, "host": host})
            assert answer.status_code == 200, host
        own_page = {"host": f"localhost:{port}", "origin": f"http://localhost:{port}"}
        assert (await plain.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **own_page})).status_code == 200


async def test_blanks_around_header_values_do_not_count(served: Site) -> None:
    request = modern_call("list_models", {}).replace(b"mcp-name: list_models", b"mcp-name:  \t list_models \t ")
    status, _, body = await served.running.exchange(
        request.replace(b"host: localhost", b"host: localhost\r\nconnection: close")
    )
    assert status == 200
    assert b'"models"' in body


async def test_bad_requests_get_an_answer_and_break_nothing(served: Site) -> None:
    async with httpx.AsyncClient(base_url=served.running.url, headers=ACCEPT) as plain:
        kinds = {"content-type": "application/json"}
        for body in (b"{", b"[]", b"null", b"\xff", b'{"jsonrpc": "2.0", "method": 5}', b"[" * 50_000):
            answer = await plain.post("/mcp", content=body, headers=kinds)
            assert 400 <= answer.status_code < 500, body[:20]
        assert (await plain.post("/messages/", json=INITIALIZE)).status_code == 400
        assert (await plain.post(f"/messages/?session_id={'0' * 32}", json=INITIALIZE)).status_code == 404
        assert (await plain.delete("/sse")).status_code == 405
        assert (await plain.post("/mcp", json=INITIALIZE, headers={"mcp-session-id": "unknown"})).status_code == 404
    async with served.client("http modern") as client:
        assert (await client.list_tools()).tools


async def test_the_gateway_is_borrowed_and_can_be_served_again(gateway: Gateway) -> None:
    transports = HttpTransports()
    for _ in range(2):
        async with transports.lifespan(gateway):
            pass
    with pytest.raises(RuntimeError, match="outside of their lifespan"):
        await transports.routes[0].app({}, None, None)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_hosts_and_origins_are_the_same_however_they_are_written(
    tmp_path: Path, scripted: ScriptedServer, path: str
) -> None:
    listed = {"allowed_hosts": "Gateway.Example.com,bücher.example", "allowed_origins": "https://App.Example.com/"}
    async with site(tmp_path, scripted, **listed) as found, httpx.AsyncClient(base_url=found.running.url) as plain:
        for headers in (
            {"host": "gateway.example.com"},
            {"host": "GATEWAY.example.com:3000"},
            {"host": "xn--bcher-kva.example"},
            {"host": f"LOCALHOST:{found.running.port}"},
            {"origin": "https://app.example.com"},
            {"origin": "https://APP.Example.com"},
        ):
            if path == "/sse":
                async with plain.stream("GET", path, headers=headers) as stream:
                    assert stream.status_code == 200, headers
                continue
            client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            answer = await plain.post(
                path,
                headers={"accept": "application/json, text/event-stream", **headers},
                json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client},
            )
            assert answer.status_code == 200, (headers, answer.text)
        refused = await plain.get(path, headers={"origin": "https://app.example.com.evil.example"})
        assert refused.status_code == 403


def test_the_sdks_check_lets_through_what_the_http_surface_does() -> None:
    security = security_of(["gateway.lan", "fe80::1"], ["https://app.example"])
    assert {"localhost", "localhost:*", "[::1]:*", "gateway.lan:*", "[fe80::1]:*"} <= set(security.allowed_hosts)
    assert {"https://app.example", "http://gateway.lan:*", "http://127.0.0.1:*"} <= set(security.allowed_origins)
    assert security.enable_dns_rebinding_protection


def sleeping(pid: Path) -> str:
    """A command that writes its process id, whole, and then does nothing for long."""
    return f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 300"


def modern_call(name: str, arguments: dict[str, Any]) -> bytes:
    """The bytes of a tool call as a client of the modern era sends it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    head = (
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n"
        f"mcp-method: tools/call\r\nmcp-name: {name}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


INITIALIZE: dict[str, Any] = json.loads(
    """{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",
    "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}"""
)
ACCEPT = {"accept": "application/json, text/event-stream"}
