"""Telling clients that resources, or the list of them, have changed: on request in both eras of the protocol.

The modern era's clients listen on a stream that they open; older ones name resources one by one, and hear of the list
without asking. Changes are looked for twice a second while anybody wants to know, so that a burst is told once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from mcp import MCPError
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourcesListChanged, ResourceUpdated
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    NotificationParams,
    ResourceListChangedNotification,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from mcp_gateway import marks
from mcp_gateway.connection import kept
from mcp_gateway.core import Ready
from mcp_gateway.identity import Context, caller_of
from mcp_gateway.resources import found_at
from shared.domain.identity import Caller
from shared.errors import GatewayError

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
MOST_LISTENERS = 1_000
MOST_RESOURCES = 100
"""That one client may be told of."""
LISTENER = "listener"
NOT_THERE = "There is no such resource, or it is not yours to see."
ELSEWHERE = (
    "This session is in another process of the gateway, and its changes are not told here: call read_terminal with "
    "waitSeconds, or read the resource again."
)

Event = ResourceUpdated | ResourcesListChanged


@dataclass(eq=False, slots=True)
class Listener:
    """Who wants to know what, and how they are told. `seen` are the marks they know, `lists` is for the list itself.

    `end` closes a stream that is there for nothing else.
    """

    caller: Caller
    tell: Callable[[Event], Awaitable[None]]
    lists: bool = False
    uris: set[str] = field(default_factory=set)
    seen: dict[str, object] = field(default_factory=dict)
    telling: asyncio.Task[None] | None = None
    end: Callable[[], None] = lambda: None

    def changes(self, gateway: "Gateway") -> list[Event]:
        """What has changed since the last look. What is looked at for the first time is only remembered."""
        events: list[Event] = []
        if self.lists and self._changed("", marks.lists(gateway, self.caller)):
            events.append(ResourcesListChanged())
        marked = ((uri, found.mark(gateway, self.caller)) for uri in sorted(self.uris) if (found := found_at(uri)))
        return [*events, *(ResourceUpdated(uri=uri) for uri, mark in marked if self._changed(uri, mark))]

    def _changed(self, name: str, mark: object) -> bool:
        known = name in self.seen
        before, self.seen[name] = self.seen.get(name), mark
        return known and before != mark


class Subscriptions:
    """The listeners of one server."""

    def __init__(self, ready: Ready, look_seconds: float = LOOK_SECONDS) -> None:
        self._ready = ready
        self._look_seconds = look_seconds
        self._listeners: set[Listener] = set()
        self._wanted = asyncio.Event()
        self._gateway: Gateway | None = None
        self._looking: asyncio.Task[None] | None = None

    async def listen(self, context: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """The modern era's stream, until the client leaves it. What the caller may not see is left out of it."""
        bus, caller = InMemorySubscriptionBus(), caller_of(context)
        wanted = params.notifications
        named = (wanted.resource_subscriptions or ())[:MOST_RESOURCES]
        allowed = [uri for uri in named if not await self._against(caller, uri)]
        handler = ListenHandler(bus)
        listener = Listener(caller, bus.publish, bool(wanted.resources_list_changed), set(allowed), end=handler.close)
        self._begin(listener)
        honoured = wanted.model_copy(update={"resource_subscriptions": allowed})
        try:
            return await handler(context, params.model_copy(update={"notifications": honoured}))
        finally:
            await self._end(listener)

    async def initialized(self, context: Context, _: NotificationParams) -> None:
        """A client of the older era is there: tell it when the list changes."""
        self._of(context).lists = True

    async def subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Tell a client of the older era when that resource changes. Raises MCPError."""
        uri, listener = str(params.uri), self._of(context)
        if why := await self._against(caller_of(context), uri):
            raise MCPError(INVALID_PARAMS, why, {"uri": uri[:500]})
        if len(listener.uris) >= MOST_RESOURCES and uri not in listener.uris:
            raise MCPError(INVALID_PARAMS, f"At most {MOST_RESOURCES} resources can be subscribed to.", {"uri": uri})
        listener.uris.add(uri)
        self._look(listener)
        return EmptyResult()

    async def unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Tell it no more."""
        listener, uri = self._of(context), str(params.uri)
        listener.uris.discard(uri)
        listener.seen.pop(uri, None)
        return EmptyResult()

    async def _against(self, caller: Caller, uri: str) -> str:
        """Why the caller cannot hear of that; empty when they can. A session must be there, theirs, and in this process."""
        found = found_at(uri)
        if found is None or not caller.may(found.scope):
            return NOT_THERE
        if found.session is None:
            return ""
        from shared.operations import dispatch
        from shared.operations.terminals import GET_TERMINAL

        gateway = await self._ready()
        try:
            await dispatch.call(gateway, caller, GET_TERMINAL, {"id": found.session})
            return ELSEWHERE if await gateway.nodes.maker_of(found.session) else ""
        except GatewayError:
            return NOT_THERE

    def begin(self) -> None:
        """Look for changes from now on."""
        self._looking = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Close the streams that are there for nothing else; their clients are told that they are over."""
        for listener in self._listeners:
            listener.end()

    async def aclose(self) -> None:
        """Look no more, and tell nobody."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for listener in tuple(self._listeners):
            await self._end(listener)

    def _of(self, context: Context) -> Listener:
        """The listener of an older client's connection, which ends with it."""
        session = context.session

        async def tell(event: Event) -> None:
            if isinstance(event, ResourceUpdated):
                await session.send_resource_updated(event.uri)
            else:
                await session.send_notification(ResourceListChangedNotification())

        def make() -> Listener:
            listener = Listener(caller_of(context), tell)
            self._begin(listener)
            return listener

        found: Listener = kept(context, LISTENER, make, self._end)
        return found

    def _begin(self, listener: Listener) -> None:
        if len(self._listeners) >= MOST_LISTENERS:
            raise MCPError(INTERNAL_ERROR, "Too many clients listen already; try again later.")
        self._listeners.add(listener)
        self._look(listener)
        self._wanted.set()

    def _look(self, listener: Listener) -> None:
        """Remember how things are now, where the gateway is open."""
        if (gateway := self._gateway) is not None:
            listener.changes(gateway)

    async def _end(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if listener.telling is not None:
            listener.telling.cancel()
            await asyncio.gather(listener.telling, return_exceptions=True)

    async def _watch(self) -> None:
        try:
            self._gateway = gateway = await self._ready()
        except GatewayError:
            return
        while True:
            await self._wanted.wait()
            for listener in tuple(self._listeners):
                if listener.telling is None or listener.telling.done():  # one that reads slowly hears of the sum later
                    self._tell(listener, gateway)
            if not self._listeners:
                self._wanted.clear()
            await asyncio.sleep(self._look_seconds)

    def _tell(self, listener: Listener, gateway: "Gateway") -> None:
        if events := listener.changes(gateway):
            listener.telling = asyncio.create_task(_told(listener, events))


async def _told(listener: Listener, events: list[Event]) -> None:
    for event in events:
        try:
            await listener.tell(event)
        except (MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            log.info("a client could not be told of a change: %r", error)
            return
