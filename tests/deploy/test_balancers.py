"""The balancers' configurations, in the real programs: a dead node is left out, streams and WebSockets pass, a stopping node cuts nothing."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect

from tests.deploy.tools import tool
from tests.support.held_provider import HeldProvider
from tests.support.ports import free_port
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "correct horse battery staple"
NGINX = """
daemon off;
{user}
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {site}
}}
"""
"""What surrounds a site's file on a system where nginx is installed."""
CHAT = {"model": "openai/scripted", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True)
class Log:
    """A program that runs, and what it says."""

    process: asyncio.subprocess.Process
    path: Path


@asynccontextmanager
async def balancer(name: str, folder: Path, *, port: int, dead: int, alive: str) -> AsyncIterator[Log]:
    """The program with our file, which listens on `port` and has two nodes."""
    file = {"haproxy": "haproxy.cfg", "caddy": "Caddyfile", "nginx": "nginx.conf"}[name]
    text = (DEPLOY / file).read_text("utf-8")
    for ours, here in (("8080", str(port)), ("gateway-1:3000", f"127.0.0.1:{dead}"), ("gateway-2:3000", alive)):
        assert ours in text
        text = text.replace(ours, here)
    if name == "caddy":
        text = "{\n\tadmin off\n}\n" + text
    if name == "nginx":
        text = NGINX.format(user="user root;" if os.geteuid() == 0 else "", site=text)
    config = folder / file
    config.write_text(text, "utf-8")
    commands = {
        "haproxy": ["-db", "-f", str(config)],
        "caddy": ["run", "--adapter", "caddyfile", "--config", str(config)],
        "nginx": ["-p", str(folder), "-c", str(config)],
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            tool(name), *commands[name], cwd=folder, env={**os.environ, "HOME": str(folder)}, stdout=log, stderr=log
        )
    try:
        yield Log(process, folder / "log")
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def answering(client: httpx.AsyncClient, log: Log) -> None:
    """Wait until the balancer listens and has found the node that lives."""
    with anyio.fail_after(20):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert log.process.returncode is None, log.path.read_text()
            await anyio.sleep(0.1)


@pytest.mark.parametrize("name", ["haproxy", "caddy", "nginx"])
async def test_chats_streams_and_terminals_pass_the_balancer_and_a_stop_cuts_nothing(name: str, tmp_path: Path) -> None:
    tool(name)
    port = free_port()
    async with (
        HeldProvider().listening() as provider,
        serving(
            tmp_path / "data",
            AUTH_MODE="required",
            ADMIN_PASSWORD=PASSWORD,
            TRUSTED_PROXIES="127.0.0.1",
            OPENAI_BASE_URL=provider.base_url,
            OPENAI_API_KEY="sk-test",
            TERMINAL_SANDBOX="off",
            SHUTDOWN_DRAIN="0",
        ) as node,
        balancer(name, tmp_path, port=port, dead=free_port(), alive=node.url.removeprefix("http://")) as log,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
    ):
        await answering(client, log)
        client.headers["X-Forwarded-For"] = "6.6.6.6"
        login = await client.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {login.json()['token']}"
        model = {"id": "openai/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L1"}
        assert (await client.post("/v1/models", json=model)).status_code == 201
        await types_into_a_terminal(client, port)
        entries = (await client.get("/v1/audit", params={"limit": 100})).json()["entries"]
        assert {entry["address"] for entry in entries if entry["address"]} == {"127.0.0.1"}
        await streams_while_the_node_stops(client, provider, node)


async def types_into_a_terminal(client: httpx.AsyncClient, port: int) -> None:
    session = (await client.post("/v1/terminal/sessions", json={"type": "local"})).json()["session"]["id"]
    address = f"ws://127.0.0.1:{port}/v1/terminal/{session}/ws"
    headers = {"Authorization": client.headers["Authorization"]}
    shown = ""
    async with connect(address, additional_headers=headers, proxy=None) as socket:
        await socket.send(json.dumps({"type": "input", "data": "echo $((40+2))-shown\n"}))
        with anyio.fail_after(20):
            while "42-shown" not in shown:
                shown += json.loads(await socket.recv()).get("data", "")


async def streams_while_the_node_stops(client: httpx.AsyncClient, provider: HeldProvider, node: Serving) -> None:
    """The first word comes while the rest is held back; the node is told to stop in between, and the rest comes too."""
    text = ""
    async with client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_text():
            text += part
            if "first" in text and not provider.go.is_set():
                assert "last" not in text
                node.process.terminate()
                provider.go.set()
    assert "last" in text
    assert text.rstrip().endswith("[DONE]")
