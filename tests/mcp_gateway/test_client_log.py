"""What the client's log is told."""

import asyncio
from typing import Any, NoReturn

import pytest
from mcp import Client
from mcp.types import LoggingLevel, LoggingMessageNotificationParams

from mcp_gateway.server import create_server
from shared.gateway import Gateway
from tests.support.mcp_stack import add, client_of

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
"""The SDK's client says of the older era's calls that the modern one has them no more."""

LOG_LEVEL = "io.modelcontextprotocol/logLevel"


class Log:
    """What came, in order; the calls' answers come after what is told of them."""

    def __init__(self) -> None:
        self.found: list[tuple[LoggingLevel, Any]] = []

    async def __call__(self, params: LoggingMessageNotificationParams) -> None:
        self.found.append((params.level, params.data))


async def test_older_clients_hear_of_trouble_and_of_more_once_they_ask(gateway: Gateway) -> None:
    await add(gateway, "scripted-e500")
    log = Log()
    async with client_of(gateway, mode="legacy", logging_callback=log) as client:
        await client.call_tool("list_models", {})
        await client.call_tool("list_models", {"limit": 0})
        assert log.found == []
        await client.call_tool("chat", {"message": "hi"})
        (level, data) = log.found.pop()
        assert (level, data["tool"], data["outcome"]) == ("warning", "chat", "provider_failed")
        assert data["requestId"]
        await client.set_logging_level("info")
        await client.call_tool("list_models", {})
        await client.call_tool("list_models", {"limit": 0})
        assert [(level, data["outcome"]) for level, data in log.found] == [
            ("info", "ok"),
            ("notice", "invalid_request"),
        ]
        await client.set_logging_level("emergency")
        await client.call_tool("chat", {"message": "hi"})
        assert len(log.found) == 2


async def test_newer_clients_are_told_only_what_a_call_asks_for(gateway: Gateway) -> None:
    log = Log()
    async with client_of(gateway, logging_callback=log) as client:
        await client.call_tool("list_models", {"limit": 0})
        assert log.found == []
        await client.call_tool("list_models", {}, meta={LOG_LEVEL: "info"})
        await client.call_tool("list_models", {}, meta={LOG_LEVEL: "warning"})
    assert [(level, data["tool"]) for level, data in log.found] == [("info", "list_models")]


async def test_a_bug_is_told_as_an_error_and_without_its_text() -> None:
    async def ready() -> NoReturn:
        raise RuntimeError("s3cret")

    log = Log()
    async with asyncio.timeout(5), Client(create_server(ready), mode="legacy", logging_callback=log) as client:
        await client.call_tool("list_models", {})
    ((level, data),) = log.found
    assert (level, data["outcome"]) == ("error", "internal_error")
    assert "s3cret" not in str(data)
