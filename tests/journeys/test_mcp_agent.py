"""An agent's whole task through MCP: find a model, ask it, work on a host over SSH; and how little it has to read for it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from http_api.app import Mounted, create_app
from mcp_gateway.transports import HttpTransports
from shared.domain.identity import LOCAL
from shared.gateway import Gateway, open_gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from shared.providers.scripted import ScriptedServer
from tests.support.http_server import serving
from tests.support.mcp_stack import add, gateway_with, settings_for
from tests.support.mcp_terminal import CHARACTERS_OF_A_TOKEN, Model
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.stdio_process import COMMAND, bare

ROOT = Path(__file__).parents[2]
USUAL = "chat,models,terminal"
MOST_BEFORE = 4_650
"""Tokens of instructions and tools that an agent's host puts before everything; 150 more than before `sandbox`, `sudo`, `jump`
and the answers about busy sessions and one-time codes.
"""
MOST_OF_TASK = 900
"""Tokens of results."""

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")]
"""The SDK leaves its own streams to the garbage collector when a connection ends."""

Way = Callable[[Path, ScriptedServer, str], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def over_stdio(folder: Path, scripted: ScriptedServer, mode: str) -> AsyncIterator[Client]:
    environ = bare(folder, scripted, PYTHONPATH=str(ROOT), MCP_TOOLSETS=USUAL)
    parameters = StdioServerParameters(command=COMMAND, args=["stdio"], env=environ, cwd="/")
    with (folder / "stderr").open("w") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode) as client:
            yield client


@asynccontextmanager
async def served(folder: Path, scripted: ScriptedServer) -> AsyncIterator[str]:
    settings = settings_for(folder / "data", scripted, rate_limit_per_minute=0, mcp_toolsets=USUAL)
    transports = HttpTransports()
    mounts = [Mounted(routes=transports.routes, lifespan=transports.lifespan)]
    app = create_app(lambda: open_gateway(settings), mounts=mounts)
    async with app.opened(), serving(app, on_stopping=app.stop) as running:
        yield running.url


@asynccontextmanager
async def over_http(folder: Path, scripted: ScriptedServer, mode: str) -> AsyncIterator[Client]:
    async with (
        served(folder, scripted) as url,
        httpx2.AsyncClient(timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def over_sse(folder: Path, scripted: ScriptedServer, mode: str) -> AsyncIterator[Client]:
    async with served(folder, scripted) as url, Client(sse_client(f"{url}/sse"), mode=mode) as client:
        yield client


async def prepare(gateway: Gateway, server: SshServer) -> None:
    """What the user has set up before: a model, and a saved connection to a host."""
    for model in [model for model in gateway.registry.snapshot.models.values() if model.provider == "openai"]:
        await gateway.registry.delete(model.id)
    await add(gateway, "scripted-n12", layer="L1")
    saved = {
        "name": "build-box", "type": "ssh", "host": "127.0.0.1", "port": server.port,
        "username": USER, "password": PASSWORD,
    }  # fmt: skip
    await dispatch.call(gateway, LOCAL, CREATE_CONNECTION, saved)


@pytest.mark.parametrize("way", [over_stdio, over_http, over_sse])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_model_is_found_and_asked_and_a_host_worked_on_for_few_tokens(
    way: Way, mode: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "far").mkdir()
    async with ScriptedServer().listening() as scripted, running_ssh_server(tmp_path / "far") as server:
        async with gateway_with(tmp_path / "data", scripted) as gateway:
            await prepare(gateway, server)
        async with way(tmp_path, scripted, mode) as client:
            before = await told_before(client)
            agent = Model(client)
            await the_task(agent)
    record_property("tokens before the task", before)
    record_property("tokens of the task", agent.tokens)
    print(f"{way.__name__} {mode}: {before} tokens of instructions and tools, {agent.tokens} of results")
    assert before < MOST_BEFORE
    assert agent.tokens < MOST_OF_TASK


async def told_before(client: Client) -> int:
    """Tokens of what a host tells its model before the first call."""
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
        for tool in (await client.list_tools()).tools
    ]
    return len((client.instructions or "") + json.dumps(tools, separators=(",", ":"))) // CHARACTERS_OF_A_TOKEN


async def the_task(agent: Model) -> None:
    found = await agent.call("list_models", available=True, layer="L1", search="scripted")
    (model,) = found["models"]
    answer = await agent.call("chat", message="How do I see what fills a disk?", model=model["id"])
    assert answer["text"].startswith("word0 word1")
    assert (answer["modelId"], answer["truncated"], answer["chatId"]) == (model["id"], False, None)
    listed = await agent.call("list_terminals")
    (connection,) = listed["connections"]
    opened = await agent.open(connection=connection["name"])
    assert opened["type"] == "ssh"
    ran = await agent.run("echo $((6*7)) > answer; cat answer", sessionId=agent.id)
    assert (ran["stdout"], ran["exitCode"]) == ("42\n", 0)
    await agent.sees("^42", text="cat answer", keys="<Enter>")
    read = await agent.read(view="text", cursor=0)
    assert "42" in read["text"]
    spent = await agent.call("usage")
    assert spent["total"]["requests"] == 1
    await agent.close()
    assert (await agent.call("list_terminals"))["sessions"] == []
