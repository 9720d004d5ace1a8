"""Changes of resources, told to those who want to hear of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import ResourceListChangedNotification, ResourceUpdatedNotification

from mcp_gateway.subscriptions import MOST_RESOURCES
from shared.domain.identity import LOCAL
from shared.domain.targets import LocalTarget
from shared.gateway import Gateway
from shared.operations import dispatch
from shared.operations.config import CHANGE_CONFIG
from shared.operations.providers import UPDATE_PROVIDER
from tests.support.mcp_stack import add, client_of

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
"""The SDK's client says of the older era's calls that the modern one has them no more."""

LIST = "(the list)"


class Told:
    """What a client has been told, however its era does that."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, message: Any) -> None:
        """A message of the older era."""
        if isinstance(message, ResourceUpdatedNotification):
            self._queue.put_nowait(str(message.params.uri))
        elif isinstance(message, ResourceListChangedNotification):
            self._queue.put_nowait(LIST)

    async def follow(self, stream: Any) -> None:
        """The stream of the modern era."""
        async for event in stream:
            if isinstance(event, ResourceUpdated):
                self._queue.put_nowait(event.uri)
            elif isinstance(event, ResourcesListChanged):
                self._queue.put_nowait(LIST)

    async def until(self, *wanted: str) -> list[str]:
        """Everything until all of that has come."""
        found: list[str] = []
        async with asyncio.timeout(5):
            while not set(wanted) <= set(found):
                found.append(await self._queue.get())
        return found

    @property
    def pending(self) -> int:
        return self._queue.qsize()


@asynccontextmanager
async def subscribed(gateway: Gateway, era: str, *uris: str) -> AsyncIterator[tuple[Client, Told]]:
    """A client that is told of those resources, and of changes of the list."""
    told = Told()
    if era == "legacy":
        async with client_of(gateway, mode=era, message_handler=told.handle) as client:
            for uri in uris:
                await client.subscribe_resource(uri)
            yield client, told
        return
    async with (
        client_of(gateway) as client,
        client.listen(resources_list_changed=True, resource_subscriptions=uris) as stream,
    ):
        following = asyncio.create_task(told.follow(stream))
        yield client, told
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


BOTH = pytest.mark.parametrize("era", ["modern", "legacy"])


@BOTH
async def test_a_change_of_the_registry_is_told_to_those_who_asked(gateway: Gateway, era: str) -> None:
    await add(gateway, "one")
    async with subscribed(gateway, era, "models://registry", "models://openai:one", "gateway://routing") as (_, told):
        await gateway.registry.update("openai:one", {"enabled": False})
        found = await told.until("models://registry", "models://openai:one", "gateway://routing")
        assert LIST not in found
        await add(gateway, "two")
        found = await told.until("models://registry", LIST)
        assert "models://openai:one" not in found


@BOTH
async def test_a_provider_that_is_set_up_or_switched_is_told(gateway: Gateway, era: str) -> None:
    await add(gateway, "far/one", id="openrouter:far/one", provider="openrouter")
    nowhere = {"name": "openrouter", "baseUrl": "http://127.0.0.1:1/v1"}
    await dispatch.call(gateway, LOCAL, UPDATE_PROVIDER, nowhere)
    uris = ("models://registry", "models://openrouter:far/one", "gateway://routing")
    async with subscribed(gateway, era, *uris) as (_, told):
        for change in ({"apiKey": "sk-x"}, {"enabled": False}, {"enabled": True}):
            await dispatch.call(gateway, LOCAL, UPDATE_PROVIDER, {"name": "openrouter", **change})
            await told.until(*uris)


@BOTH
async def test_a_setting_that_decides_about_a_model_is_told_to_who_watches_it(gateway: Gateway, era: str) -> None:
    await add(gateway, "one")
    async with subscribed(gateway, era, "models://openai:one") as (_, told):
        await dispatch.call(gateway, LOCAL, CHANGE_CONFIG, {"spendGuard": True})
        await told.until("models://openai:one")


@BOTH
async def test_the_output_of_a_session_is_told_once_for_a_burst(gateway: Gateway, era: str) -> None:
    session = await gateway.terminals.open("local", LocalTarget())
    output = f"terminal://{session.id}/output"
    async with subscribed(gateway, era, output, f"terminal://{session.id}/screen", "terminal://sessions") as (_, told):
        await session.send("for i in $(seq 300); do echo $i; done; echo en''d\n")
        async with asyncio.timeout(5):
            cursor = 0
            while "end" not in (part := await session.read("test", cursor=cursor, wait=5)).text:
                cursor = part.cursor
        assert told.pending < 10
        await told.until(output, f"terminal://{session.id}/screen")
        await gateway.terminals.close("local", session.id)
        await told.until("terminal://sessions", LIST)


@BOTH
async def test_another_size_of_the_screen_is_told_though_nothing_was_put_out(gateway: Gateway, era: str) -> None:
    session = await gateway.terminals.open("local", LocalTarget(background="sleep 60"))
    await session.screen()
    screen, output = f"terminal://{session.id}/screen", f"terminal://{session.id}/output"
    async with subscribed(gateway, era, screen, output) as (_, told):
        await session.resize(100, 30)
        assert output not in await told.until(screen)
    await gateway.terminals.close("local", session.id)


@BOTH
async def test_spending_is_told(gateway: Gateway, era: str) -> None:
    await add(gateway, "scripted")
    async with subscribed(gateway, era, "usage://today", "gateway://budget") as (client, told):
        await client.call_tool("chat", {"message": "hi"})
        await told.until("usage://today", "gateway://budget")


async def test_the_sessions_of_others_cannot_be_watched(gateway: Gateway) -> None:
    """What is not there looks the same as what is another's: neither is ever told to have changed."""
    session = await gateway.terminals.open("somebody-else", LocalTarget())
    uri = f"terminal://{session.id}/output"
    async with subscribed(gateway, "modern", uri, "models://registry") as (_, told):
        await session.send("echo hello\n")
        await session.read("test", cursor=0, wait=5)
        await add(gateway, "one")
        assert uri not in await told.until("models://registry", LIST)


async def test_what_is_no_resource_is_left_out_or_refused(gateway: Gateway) -> None:
    others = await gateway.terminals.open("somebody-else", LocalTarget())
    sessions = ["terminal://nope/output", f"terminal://{others.id}/screen"]
    wanted = ["models://registry", "nonsense://x", *sessions]
    async with (
        client_of(gateway) as client,
        client.listen(resource_subscriptions=wanted) as stream,
    ):
        assert stream.honored.resource_subscriptions == ["models://registry"]
    async with client_of(gateway, mode="legacy") as client:
        for uri in ("nonsense://x", *sessions):
            with pytest.raises(MCPError, match="no such resource"):
                await client.subscribe_resource(uri)


async def test_one_client_can_only_name_so_many(gateway: Gateway) -> None:
    async with client_of(gateway, mode="legacy") as client:
        for number in range(MOST_RESOURCES):
            await client.subscribe_resource(f"models://m{number}")
        with pytest.raises(MCPError, match="At most 100"):
            await client.subscribe_resource("models://registry")
        await client.unsubscribe_resource("models://m1")
        await client.subscribe_resource("models://registry")


async def test_who_unsubscribes_is_told_no_more(gateway: Gateway) -> None:
    async with subscribed(gateway, "legacy", "models://registry", "models://layers") as (client, told):
        await client.unsubscribe_resource("models://registry")
        await add(gateway, "one")
        assert "models://registry" not in await told.until("models://layers", LIST)


@BOTH
async def test_the_capabilities_say_so(gateway: Gateway, era: str) -> None:
    async with client_of(gateway, mode="legacy" if era == "legacy" else "auto") as client:
        capabilities = client.server_capabilities
    assert capabilities.resources
    assert capabilities.resources.subscribe is True
    assert capabilities.resources.list_changed is True
    assert capabilities.completions is not None
    assert capabilities.prompts is not None
    assert (capabilities.tools.list_changed if capabilities.tools else None) in (False, era == "modern")
    assert capabilities.logging is not None
