"""What the conformance suite looks at, without Node: the wire of both eras, and the fixtures through our handlers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.server.subscriptions import ToolsListChanged
from mcp.types import ElicitResult, TextContent

from http_api.app import Mounted, create_app
from mcp_gateway.transports import HttpTransports
from shared.gateway import Gateway, open_gateway
from tests.conformance.fixture_server import create_fixture_server
from tests.support.http_server import serving
from tests.support.mcp_stack import ERAS, gateway_with, settings_for

ACCEPT = {"accept": "application/json, text/event-stream"}
VERSION = "io.modelcontextprotocol/protocolVersion"
META = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


@asynccontextmanager
async def wire(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = settings_for(folder, rate_limit_per_minute=0)
    transports = HttpTransports(create=create_fixture_server)
    mounts = [Mounted(routes=transports.routes, lifespan=transports.lifespan)]
    app = create_app(lambda: open_gateway(settings), mounts=mounts)
    async with (
        app.opened(),
        serving(app, on_stopping=app.stop) as running,
        httpx.AsyncClient(base_url=running.url, headers=ACCEPT) as plain,
    ):
        yield plain


@asynccontextmanager
async def fixtures(gateway: Gateway, mode: str, **options: Any) -> AsyncIterator[Client]:
    async def ready() -> Gateway:
        return gateway

    async with Client(create_fixture_server(ready), mode=mode, **options) as client:
        yield client


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway_with(tmp_path / "data") as gateway:
        yield gateway


async def ask(plain: httpx.AsyncClient, method: str, params: dict[str, Any], **headers: str) -> tuple[int, Any]:
    """A request of the modern era; the status, and the answer's error or result."""
    sent = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
    if "name" in params:
        sent["mcp-name"] = params["name"]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await plain.post("/mcp", json=message, headers={**sent, **headers})
    body = answer.json()
    return answer.status_code, body.get("error") or body["result"]


async def test_requests_of_the_modern_era_say_what_they_speak(tmp_path: Path) -> None:
    async with wire(tmp_path) as plain:
        status, found = await ask(plain, "server/discover", {"_meta": META})
        assert (status, found["supportedVersions"]) == (200, ["2026-07-28"])
        assert found["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
        status, found = await ask(plain, "tools/list", {})
        assert (status, found["code"]) == (400, -32602)
        strange = {**META, VERSION: "1999-01-01"}
        status, found = await ask(plain, "tools/list", {"_meta": strange}, **{"mcp-protocol-version": "1999-01-01"})
        assert status == 400
        assert "2026-07-28" in json.dumps(found)


async def test_headers_and_body_must_agree(tmp_path: Path) -> None:
    call = {"name": "list_models", "arguments": {"limit": 1}, "_meta": META}
    async with wire(tmp_path) as plain:
        assert (await ask(plain, "tools/call", call))[0] == 200
        for header in ("mcp-method", "mcp-name"):
            status, found = await ask(plain, "tools/call", call, **{header: "something-else"})
            assert (status, found["code"]) == (400, -32020)
        call = {"name": "test_custom_headers", "arguments": {"region": "eu"}, "_meta": META}
        assert (await ask(plain, "tools/call", call, **{"mcp-param-region": "eu"}))[0] == 200
        assert (await ask(plain, "tools/call", call, **{"mcp-param-region": "us"}))[0] == 400
        assert (await ask(plain, "tools/call", call))[0] == 400


async def test_lists_and_resources_may_be_cached_as_long_as_they_say(tmp_path: Path) -> None:
    async with wire(tmp_path) as plain:
        for method in ("tools/list", "prompts/list", "resources/templates/list"):
            _, found = await ask(plain, method, {"_meta": META})
            assert (found["ttlMs"], found["cacheScope"]) == (3_600_000, "public"), method
        _, found = await ask(plain, "resources/list", {"_meta": META})
        assert (found["ttlMs"], found["cacheScope"]) == (0, "private")


@pytest.mark.parametrize("era", ERAS)
async def test_our_own_tools_are_there_beside_the_fixtures(gateway: Gateway, era: str) -> None:
    async with fixtures(gateway, era) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"list_models", "test_simple_text"} <= names
        assert not (await client.call_tool("list_models", {"limit": 1})).is_error
        (block,) = (await client.call_tool("test_simple_text", {})).content
        assert isinstance(block, TextContent)
        assert (await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})).messages
        assert (await client.read_resource("test://static-binary")).contents


async def test_a_question_ends_a_call_which_then_comes_again(gateway: Gateway) -> None:
    async def answer(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"name": "Ada", "ok": True})

    async with fixtures(gateway, "auto", elicitation_callback=answer) as client:
        for name, told in (
            ("test_input_required_result_elicitation", "Hello, Ada!"),
            ("test_input_required_result_request_state", "state-ok"),
        ):
            (block,) = (await client.call_tool(name, {})).content
            assert isinstance(block, TextContent)
            assert block.text == told
        with pytest.raises(MCPError, match="not what this server gave"):
            await client.session.call_tool(
                "test_input_required_result_request_state",
                {},
                input_responses={"confirm": ElicitResult(action="accept", content={"ok": True})},
                request_state="confirming.forged",
            )


async def test_a_change_of_the_tools_reaches_who_listens(gateway: Gateway) -> None:
    async with fixtures(gateway, "auto") as client, client.listen(tools_list_changed=True) as stream:
        await client.call_tool("test_trigger_tool_change", {})
        assert isinstance(await anext(aiter(stream)), ToolsListChanged)
