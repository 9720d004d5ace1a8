"""Requests for what another process has: the rest of a chat, a session."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp.client import Client
from starlette.requests import ClientDisconnect

from mcp_gateway.forwarding import InItsProcess
from shared.domain.nodes import Node
from shared.providers.scripted import ScriptedServer
from tests.journeys.test_one_gateway_of_many_processes import two
from tests.support.mcp_stack import facts_of, text_of
from tests.support.redis_servers import RedisServer

MODEL = {
    "id": "openai:slow",
    "provider": "openai",
    "apiModelName": "scripted-n6-itl200",
    "layer": "L0",
    "pricePer1kInputTokens": 0,
    "pricePer1kOutputTokens": 0,
}


async def test_a_chat_begun_at_one_process_is_read_to_its_end_at_another(
    tmp_path: Path, redis_server: RedisServer, scripted: ScriptedServer
) -> None:
    settings = {"OPENAI_BASE_URL": scripted.base_url, "OPENAI_API_KEY": "x", "SPEND_GUARD": "false"}
    async with (
        two(tmp_path, redis_server, **settings) as (one, other),
        Client(f"{one.url}/mcp") as first,
        Client(f"{other.url}/mcp") as second,
    ):
        assert (await one.http.post("/v1/models", json=MODEL)).status_code == 201
        ask = {"message": "hi", "model": "openai:slow", "waitSeconds": 0.5}
        begun = facts_of(await first.call_tool("chat", ask))
        assert begun["finishReason"] == "unfinished"
        rest = facts_of(await second.call_tool("chat", {"chatId": begun["chatId"]}))
        assert (begun["text"] + rest["text"]).split() == [f"word{number}" for number in range(6)]
        again = await second.call_tool("chat", {"chatId": begun["chatId"]})
        assert "(code: chat_not_found)" in text_of(again)
        asked = await second.call_tool("chat", {"message": f'"chatId": "{begun["chatId"]}"', "model": "openai:slow"})
        assert facts_of(asked)["text"].startswith("word0")


@pytest.mark.parametrize("headers", [[], [(b"mcp-session-id", b"other-1")]])
async def test_a_request_that_breaks_off_is_answered_nowhere(headers: list[tuple[bytes, bytes]]) -> None:
    messages = [{"type": "http.request", "body": b'{"a', "more_body": True}, {"type": "http.disconnect"}]
    passed_on = []

    async def note(*_: Any) -> Any:
        passed_on.append(_)

    async def named(tag: str) -> Node:
        return Node(id=tag, address="http://127.0.0.1:1")

    async def receive() -> Any:
        return messages.pop(0)

    gateway: Any = SimpleNamespace(nodes=SimpleNamespace(id="own", alone=False, named=named), peers=None)
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    with pytest.raises(ClientDisconnect):
        await InItsProcess(note, gateway)(scope, receive, note)
    assert passed_on == []
