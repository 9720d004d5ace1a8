"""The cache of answers: the same question of the same caller gets the same answer, at no cost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.caching import CacheControl
from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Model
from shared.errors import NotCached, Unavailable
from shared.routing.answers import Answer, EventStream, Route
from shared.routing.caching.cache_key import ALL, key_of, prefix_of
from shared.routing.caching.cached_answer import FREE, CachedAnswer, Recording, Replay
from shared.routing.caching.single_flight import Flight, Flights
from shared.routing.job import Deadline
from shared.storage.key_values import KeyValues
from shared.storage.redis_store import StoreAway

TOOLS = frozenset({"tools", "functions", "web_search_options", "plugins"})
TOOL_ROLES = frozenset({"tool", "function"})
PATIENCE = 120.0
"""Seconds that one waits for the end of somebody else's stream, whose reader may be slow, before asking oneself."""

MOST_PENDING = 64
"""Answers on their way into the store; further ones are not kept."""


@dataclass(slots=True)
class CacheCounters:
    """What the cache did in this process. `saved` is US dollars, as far as prices were known."""

    hits: int = 0
    misses: int = 0
    stored: int = 0
    saved: Decimal = FREE


@dataclass(frozen=True, slots=True)
class _Found:
    kept: CachedAnswer
    route: Route


@dataclass(frozen=True, slots=True)
class _Turn:
    """Somebody's turn: what was found for him, or the request to make and whom to give the answer to."""

    found: _Found | None
    request: ChatRequest
    keep: Callable[[CachedAnswer | None], None]


class ResponseCache:
    """Stands between those who ask and what makes an answer.

    `enabled` says whether requests that do not mention the cache use it, `usable` gives the model of an id as long as
    it may answer, and `terms` is whatever else of the configuration decides who answers. Answers are kept for
    `seconds`, those larger than `largest` bytes not at all.
    """

    def __init__(
        self,
        values: KeyValues,
        *,
        enabled: Callable[[], bool],
        usable: Callable[[str], Model | None],
        terms: Callable[[], str],
        clock: Callable[[], datetime],
        seconds: float = 300,
        largest: int = 1024 * 1024,
    ) -> None:
        self.counters = CacheCounters()
        self._values = values
        self._enabled = enabled
        self._usable = usable
        self._terms = terms
        self._clock = clock
        self._seconds = seconds
        self._largest = largest
        self._flights: Flights[CachedAnswer] = Flights()
        self._pending: set[asyncio.Task[None]] = set()
        self._one_by_one = asyncio.Lock()
        self._cleared = 0

    async def complete(
        self, caller: Caller, request: ChatRequest, make: Callable[[ChatRequest], Awaitable[Answer]]
    ) -> Answer:
        """The whole answer, from the cache or made. Raises NotCached, and what `make` raises."""
        wanted = _wanted(request)
        if not self._applies(request, wanted):
            return await make(request)
        async with self._turn(caller, request, wanted) as turn:
            if turn.found is None:
                answer = await make(turn.request)
                answer.route.cache = "miss"
                turn.keep(self._fitting(CachedAnswer.of_whole(answer, self._clock())))
                return answer
        return turn.found.kept.whole(turn.found.route)

    @asynccontextmanager
    async def stream(
        self,
        caller: Caller,
        request: ChatRequest,
        make: Callable[[ChatRequest], AbstractAsyncContextManager[EventStream]],
    ) -> AsyncIterator[EventStream]:
        """The answer as it comes, or again as it came. Raises NotCached, and what `make` raises."""
        wanted = _wanted(request)
        if not self._applies(request, wanted):
            async with make(request) as events:
                yield events
            return
        async with self._turn(caller, request, wanted) as turn:
            if turn.found is None:
                async with make(turn.request) as events:
                    recording = Recording(events, self._largest)
                    recording.route.cache = "miss"
                    yield recording
                if recording.ended:
                    turn.keep(self._fitting(recording.answer(self._clock(), request.facts.choices)))
                return
        yield Replay(turn.found.kept, turn.found.route)

    async def clear(self, caller: Caller | None) -> int:
        """Forget a caller's answers, or with None everybody's; how many there were. What is not ours stays.

        Raises Unavailable when it cannot be done.
        """
        prefix = ALL if caller is None else prefix_of(caller)
        await self._settled()
        try:
            async with self._one_by_one:
                self._cleared += 1
                self._flights.forget(prefix)
                return await self._values.clear(prefix)
        except StoreAway:
            raise Unavailable(
                "Redis does not answer, and what is cached there could come back; try again when it does.",
                code="cache_unavailable",
            ) from None

    async def aclose(self) -> None:
        """Let what is on its way into the store arrive there."""
        await self._settled()

    def _applies(self, request: ChatRequest, wanted: CacheControl) -> bool:
        """Whether the cache has a part in it. Raises NotCached when it has none but must."""
        asked = request.options.cache
        applies = not wanted.no_store and (asked or (asked is None and self._enabled() and not _uses_tools(request)))
        if wanted.only_if_cached and not applies:
            raise _not_cached()
        return applies

    @asynccontextmanager
    async def _turn(self, caller: Caller, request: ChatRequest, wanted: CacheControl) -> AsyncIterator[_Turn]:
        deadline = Deadline(request.options.timeout_ms)
        key = key_of(caller, request, self._terms())
        cleared = self._cleared
        found = None if wanted.no_cache else self._found(await self._stored(key), wanted)
        if found is not None or wanted.no_cache or wanted.only_if_cached:
            if found is None and wanted.only_if_cached:
                raise _not_cached()
            yield self._counted(
                _Turn(found, _within(deadline, request), lambda kept: self._store(key, kept, cleared, None))
            )
            return
        async with self._flights.turn(key, _patience(deadline, request)) as flight:
            found = self._found(flight.value, wanted)
            if found is None and deadline.passed:
                raise deadline.error()
            yield self._counted(
                _Turn(found, _within(deadline, request), lambda kept: self._store(key, kept, cleared, flight))
            )

    async def _stored(self, key: str) -> CachedAnswer | None:
        data = await self._values.get(key)
        return None if data is None else CachedAnswer.from_bytes(data)

    def _found(self, kept: CachedAnswer | None, wanted: CacheControl) -> _Found | None:
        """What may be told again of it: not what is too old, nor what its model would not say any more."""
        if kept is None:
            return None
        model = self._usable(kept.model_id)
        age = max(0, int((self._clock() - kept.made).total_seconds()))
        oldest = self._seconds if wanted.max_age is None else min(self._seconds, wanted.max_age)
        if model is None or not kept.made_by(model) or age > oldest:
            return None
        return _Found(kept, Route(model, 0, FREE, cache="hit", age=age, notes=dict(kept.notes)))

    def _counted(self, turn: _Turn) -> _Turn:
        if turn.found is None:
            self.counters.misses += 1
        else:
            self.counters.hits += 1
            self.counters.saved += turn.found.kept.cost or FREE
        return turn

    def _fitting(self, kept: CachedAnswer | None) -> CachedAnswer | None:
        return kept if kept is not None and len(kept.body) <= self._largest else None

    def _store(self, key: str, kept: CachedAnswer | None, cleared: int, flight: Flight[CachedAnswer] | None) -> None:
        """Hand an answer to those who wait, and keep it in the background; until it is kept, its flight has it."""
        if flight is not None:
            flight.landed(kept)
        if kept is None or len(self._pending) >= MOST_PENDING:
            return
        task = asyncio.create_task(self._put(key, kept, cleared))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        if flight is not None:
            flight.users += 1
            task.add_done_callback(lambda _: self._flights.leave(key, flight))

    async def _put(self, key: str, kept: CachedAnswer, cleared: int) -> None:
        async with self._one_by_one:
            if cleared == self._cleared:
                await self._values.put(key, kept.to_bytes(), seconds=self._seconds)
                self.counters.stored += 1

    async def _settled(self) -> None:
        if self._pending:
            await asyncio.wait(self._pending)


def _uses_tools(request: ChatRequest) -> bool:
    """Whether a tool, ours or the provider's, has a part in the conversation."""
    payload = request.payload
    return any(payload.get(name) for name in TOOLS) or any(
        message.get("role") in TOOL_ROLES for message in payload["messages"]
    )


def _wanted(request: ChatRequest) -> CacheControl:
    said = request.options.cache_control
    return CacheControl.parse(said) if said else CacheControl()


def _patience(deadline: Deadline, request: ChatRequest) -> float | None:
    """Seconds to wait for somebody else's answer; None for as long as it takes, which is bounded where it is made."""
    own = deadline.left if deadline.set else None
    if not request.stream:
        return own
    return PATIENCE if own is None else min(PATIENCE, own)


def _within(deadline: Deadline, request: ChatRequest) -> ChatRequest:
    """The request with what is left of its time, in the canonical form: answers are kept in that."""
    if request.native is not None:
        request = replace(request, native=None)
    if not deadline.set:
        return request
    left = max(1, round(deadline.left * 1000))
    options = request.options.model_copy(update={"timeout_ms": left})
    return replace(request, facts=replace(request.facts, options=options))


def _not_cached() -> NotCached:
    return NotCached(
        "This is not in the cache, and 'Cache-Control: only-if-cached' allows nothing else; leave that out to have it answered."
    )
