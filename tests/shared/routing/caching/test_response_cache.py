"""The cache of answers, in front of a kitchen that makes them as told."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL, Caller
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.errors import NotCached, Unavailable, UpstreamError, UpstreamTimeout
from shared.routing.answers import Answer, EventStream, Route
from shared.routing.caching.response_cache import ResponseCache
from shared.storage.key_values import KeyValues, MemoryValues, RedisValues, Values
from shared.storage.redis_store import RedisStore
from tests.support.clock import Clock
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

OTHER = replace(LOCAL, id="key:other")
USED = Usage(prompt=5, completion=7)


def ask(text: str = "hi", **body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": text}], **body})


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "x", "choices": [choice]}) + b"\n\n"


class Kitchen:
    """Makes answers and counts them. `faults` are raised first, one for each; `open` holds everything up."""

    def __init__(self, values: KeyValues | None = None, **cache: Any) -> None:
        self.clock = Clock()
        self.model: Model | None = Model(id="p/m", provider="p", api_model_name="m", layer="L0")
        self.enabled = True
        self.terms = ""
        self.memory = MemoryValues(max_bytes=10**6, clock=self.clock.seconds)
        self.cache = ResponseCache(
            self.memory if values is None else values,
            enabled=lambda: self.enabled,
            usable=lambda name: self.model if self.model is not None and self.model.id == name else None,
            terms=lambda: self.terms,
            clock=self.clock,
            **cache,
        )
        self.made = 0
        self.most_at_once = 0
        self.finish = "stop"
        self.text = "hello"
        self.faults: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.limits: list[int | None] = []
        self._at_once = 0

    async def complete(self, request: ChatRequest) -> Answer:
        async with self._working(request) as number:
            choice = {"index": 0, "message": {"content": f"{self.text} {number}"}, "finish_reason": self.finish}
            payload = {"id": "x", "choices": [choice], "usage": {**USED.to_openai(), "cost": 0.25}}
            return Answer(payload, USED, self._route())

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncIterator[EventStream]:
        async with self._working(request) as number:
            usage = {"id": "x", "choices": [], "usage": {**USED.to_openai(), "cost": 0.25}}
            yield Plate(self, [event(f"{self.text} {number}"), event("", self.finish)], usage)

    async def whole(self, request: ChatRequest | None = None, caller: Caller = LOCAL) -> Answer:
        return await self.cache.complete(caller, request or ask(), self.complete)

    async def streamed(self, request: ChatRequest | None = None, caller: Caller = LOCAL) -> tuple[Route, bytes]:
        async with self.cache.stream(caller, request or ask(stream=True), self.stream) as events:
            return events.route, b"".join([run async for run in events])

    def _route(self) -> Route:
        assert self.model is not None
        return Route(self.model, 1, Decimal("0.25"))

    @asynccontextmanager
    async def _working(self, request: ChatRequest) -> AsyncIterator[int]:
        self.limits.append(request.options.timeout_ms)
        self.made += 1
        number = self.made
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0)
            await self.open.wait()
            if self.faults:
                raise self.faults.pop(0)
            yield number
        finally:
            self._at_once -= 1


class Plate:
    """A stream of the kitchen's; it breaks off where `breaks` is set."""

    def __init__(self, kitchen: Kitchen, runs: list[bytes], usage: dict[str, Any]) -> None:
        self.route = kitchen._route()
        self.usage: Usage | None = None
        self._runs = [*runs, b"data: " + orjson.dumps(usage) + b"\n\n"]
        self._breaks = kitchen.text == "breaks"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for run in self._runs:
            yield run
            if self._breaks:
                raise UpstreamError("broke off")
        self.usage = USED


def told(answer: Answer) -> str:
    return str(answer.payload["choices"][0]["message"]["content"])


async def test_the_same_question_gets_the_same_answer_at_no_cost() -> None:
    kitchen = Kitchen()
    first = await kitchen.whole()
    kitchen.clock.advance(seconds=7.9)
    again = await kitchen.whole()
    assert (first.route.cache, first.route.age, first.payload["usage"]["cost"]) == ("miss", None, 0.25)
    assert (again.route.cache, again.route.age, again.route.attempts, again.route.cost) == ("hit", 7, 0, Decimal(0))
    assert again.payload == {**first.payload, "usage": {**first.payload["usage"], "cost": 0}}
    assert again.usage == USED
    await kitchen.cache.aclose()
    counters = kitchen.cache.counters
    assert (counters.hits, counters.misses, counters.stored, counters.saved) == (1, 1, 1, Decimal("0.25"))


async def test_a_stream_is_told_again_as_a_stream() -> None:
    kitchen = Kitchen()
    first, sent = await kitchen.streamed()
    again, replayed = await kitchen.streamed()
    assert (first.cache, again.cache, again.cost, kitchen.made) == ("miss", "hit", Decimal(0), 1)
    assert replayed == sent.replace(b'"cost":0.25', b'"cost":0.0')


async def test_a_whole_answer_does_not_stand_in_for_a_stream() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    assert (await kitchen.streamed())[0].cache == "miss"


async def test_callers_never_see_each_others_answers() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    assert (await kitchen.whole(caller=OTHER)).route.cache == "miss"
    assert told(await kitchen.whole()) == "hello 1"
    assert told(await kitchen.whole(caller=OTHER)) == "hello 2"


async def test_it_is_off_unless_somebody_turns_it_on() -> None:
    kitchen = Kitchen()
    kitchen.enabled = False
    for _ in range(2):
        assert (await kitchen.whole()).route.cache == "off"
        assert (await kitchen.streamed())[0].cache == "off"
    asked = ask(gateway={"cache": True})
    assert [(await kitchen.whole(asked)).route.cache for _ in range(2)] == ["miss", "hit"]
    kitchen.enabled = True
    refused = ask(gateway={"cache": False})
    assert [(await kitchen.whole(refused)).route.cache for _ in range(2)] == ["off", "off"]
    assert kitchen.cache.counters.misses == 1


TOOL = {"role": "tool", "content": "5", "tool_call_id": "x"}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function"}]},
        {"functions": [{"name": "f"}]},
        {"web_search_options": {"a": 1}},
        {"plugins": [{"id": "web"}]},
        {"messages": [{"role": "user", "content": "hi"}, TOOL]},
    ],
)
async def test_what_has_to_do_with_tools_is_kept_only_when_asked_for(body: dict[str, Any]) -> None:
    kitchen = Kitchen()
    request = ask(**body)
    assert [(await kitchen.whole(request)).route.cache for _ in range(2)] == ["off", "off"]
    request = ask(**body, gateway={"cache": True})
    assert [(await kitchen.whole(request)).route.cache for _ in range(2)] == ["miss", "hit"]


async def test_answers_of_any_temperature_and_number_are_kept() -> None:
    kitchen = Kitchen()
    request = ask(temperature=2, stop="x", seed=None)
    assert [(await kitchen.whole(request)).route.cache for _ in range(2)] == ["miss", "hit"]


def says(directives: str, **body: Any) -> ChatRequest:
    return ask(gateway={"cacheControl": directives}, **body)


async def test_no_store_neither_reads_nor_writes() -> None:
    kitchen = Kitchen()
    assert (await kitchen.whole(says("no-store"))).route.cache == "off"
    assert (await kitchen.whole()).route.cache == "miss"
    assert (await kitchen.whole(says("no-store"))).route.cache == "off"
    assert told(await kitchen.whole()) == "hello 2"


async def test_no_cache_asks_anew_and_keeps_the_answer() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    assert told(await kitchen.whole(says("no-cache"))) == "hello 2"
    await kitchen.cache.aclose()
    assert told(await kitchen.whole()) == "hello 2"
    assert (await kitchen.streamed(says("max-age=0", stream=True)))[0].cache == "miss"
    await kitchen.cache.aclose()
    assert (await kitchen.streamed())[0].cache == "hit"


async def test_max_age_takes_no_older_answer() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    await kitchen.cache.aclose()
    kitchen.clock.advance(seconds=10)
    assert told(await kitchen.whole(says("max-age=10"))) == "hello 1"
    kitchen.clock.advance(seconds=1)
    assert told(await kitchen.whole(says("max-age=10"))) == "hello 2"
    await kitchen.cache.aclose()
    assert told(await kitchen.whole()) == "hello 2"


async def test_only_if_cached_never_asks_a_model() -> None:
    kitchen = Kitchen()
    for request in (says("only-if-cached"), says("only-if-cached, no-store"), says("only-if-cached, no-cache")):
        with pytest.raises(NotCached):
            await kitchen.whole(request)
    with pytest.raises(NotCached):
        await kitchen.streamed(says("only-if-cached", stream=True))
    assert kitchen.made == 0
    await kitchen.whole()
    await kitchen.cache.aclose()
    assert (await kitchen.whole(says("only-if-cached"))).route.cache == "hit"
    kitchen.enabled = False
    with pytest.raises(NotCached):
        await kitchen.whole(says("only-if-cached"))


async def test_an_answer_is_forgotten_after_its_time() -> None:
    kitchen = Kitchen(seconds=60)
    await kitchen.whole()
    await kitchen.cache.aclose()
    kitchen.clock.advance(seconds=59)
    assert (await kitchen.whole()).route.cache == "hit"
    kitchen.clock.advance(seconds=1)
    assert (await kitchen.whole()).route.cache == "miss"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("finish", "text"), [("content_filter", "hello"), ("stop", "x" * 5000)])
async def test_what_is_not_good_or_too_large_is_not_kept(stream: bool, finish: str, text: str) -> None:
    kitchen = Kitchen(largest=4000)
    kitchen.finish, kitchen.text = finish, text
    for _ in range(2):
        await (kitchen.streamed() if stream else kitchen.whole())
    await kitchen.cache.aclose()
    assert (kitchen.made, len(kitchen.memory), len(kitchen.cache._flights)) == (2, 0, 0)


async def test_a_stream_that_breaks_off_is_not_kept() -> None:
    kitchen = Kitchen()
    kitchen.text = "breaks"
    with pytest.raises(UpstreamError):
        await kitchen.streamed()
    kitchen.text = "hello"
    assert (await kitchen.streamed())[0].cache == "miss"


async def test_a_stream_whose_client_leaves_is_not_kept() -> None:
    kitchen = Kitchen()
    async with kitchen.cache.stream(LOCAL, ask(stream=True), kitchen.stream) as events:
        async for _ in events:
            break
    await kitchen.cache.aclose()
    assert len(kitchen.memory) == 0
    assert (await kitchen.streamed())[0].cache == "miss"


async def test_a_model_that_is_off_or_another_one_now_answers_no_more_from_the_cache() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    await kitchen.cache.aclose()
    model = kitchen.model
    assert model is not None
    for changed in (None, model.model_copy(update={"api_model_name": "n"}), model.model_copy(update={"layer": "L3"})):
        kitchen.model = changed
        with pytest.raises(NotCached):
            await kitchen.whole(says("only-if-cached"))
    kitchen.model = model.model_copy(update={"priority": 5, "relative_cost": 1})
    assert (await kitchen.whole()).route.cache == "hit"


async def test_what_the_configuration_says_of_routing_counts() -> None:
    kitchen = Kitchen()
    await kitchen.whole()
    kitchen.terms = "L1"
    assert (await kitchen.whole()).route.cache == "miss"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hundred_at_once_make_one_answer(stream: bool) -> None:
    kitchen = Kitchen()
    kitchen.open.clear()
    each: Callable[[], Any] = kitchen.streamed if stream else kitchen.whole
    tasks = [asyncio.create_task(each()) for _ in range(100)]
    await until(lambda: kitchen.made == 1)
    kitchen.open.set()
    answers = await asyncio.gather(*tasks)
    routes = [answer[0] if stream else answer.route for answer in answers]
    assert [route.cache for route in routes] == ["miss", *["hit"] * 99]
    assert kitchen.made == 1
    await kitchen.cache.aclose()
    assert len(kitchen.cache._flights) == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_first_leaves_the_next_asks(stream: bool) -> None:
    kitchen = Kitchen()
    kitchen.open.clear()
    tasks = [asyncio.create_task(kitchen.streamed() if stream else kitchen.whole()) for _ in range(20)]  # type: ignore[arg-type]
    await until(lambda: kitchen.made == 1)
    tasks[0].cancel()
    await until(lambda: kitchen.made == 2)
    kitchen.open.set()
    await asyncio.gather(*tasks[1:])
    assert (kitchen.made, kitchen.most_at_once) == (2, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_first_fails_the_next_asks(stream: bool) -> None:
    kitchen = Kitchen()
    kitchen.open.clear()
    kitchen.faults = [UpstreamError("no")]
    tasks = [asyncio.create_task(kitchen.streamed() if stream else kitchen.whole()) for _ in range(20)]  # type: ignore[arg-type]
    await until(lambda: kitchen.made == 1)
    kitchen.open.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers].count(UpstreamError) == 1
    assert (kitchen.made, kitchen.most_at_once) == (2, 1)


async def test_one_who_waits_does_so_within_his_own_time_and_asks_with_what_is_left_of_it() -> None:
    kitchen = Kitchen()
    kitchen.open.clear()
    patient = asyncio.create_task(kitchen.whole())
    await until(lambda: kitchen.made == 1)
    with pytest.raises(UpstreamTimeout, match="30 ms"):
        await kitchen.whole(ask(gateway={"timeoutMs": 30}))
    heir = asyncio.create_task(kitchen.whole(ask(gateway={"timeoutMs": 60_000})))
    await asyncio.sleep(0)
    patient.cancel()
    await until(lambda: kitchen.made == 2)
    kitchen.open.set()
    assert told(await heir) == "hello 2"
    assert kitchen.limits[0] is None
    assert kitchen.limits[1] is not None
    assert kitchen.limits[1] <= 60_000


async def test_memory_stays_bounded_under_ten_thousand_questions() -> None:
    kitchen = Kitchen()
    for number in range(10_000):
        await kitchen.whole(ask(str(number)))
    await kitchen.cache.aclose()
    assert kitchen.memory.used <= 10**6
    assert len(kitchen.memory) > 500
    assert len(kitchen.cache._flights) == 0
    assert (await kitchen.whole(ask("9999"))).route.cache == "hit"
    assert (await kitchen.whole(ask("0"))).route.cache == "miss"


async def test_clearing_takes_ones_own_answers_or_all() -> None:
    kitchen = Kitchen()
    await kitchen.memory.put("session:x", b"y", seconds=60)
    for text in ("a", "b"):
        await kitchen.whole(ask(text))
        await kitchen.whole(ask(text), OTHER)
    assert await kitchen.cache.clear(LOCAL) == 2
    assert await kitchen.cache.clear(LOCAL) == 0
    assert (await kitchen.whole(ask("a"), OTHER)).route.cache == "hit"
    assert (await kitchen.whole(ask("a"))).route.cache == "miss"
    assert await kitchen.cache.clear(None) == 3
    assert await kitchen.memory.get("session:x") == b"y"


async def test_what_is_being_made_while_it_is_cleared_is_not_kept() -> None:
    kitchen = Kitchen()
    kitchen.open.clear()
    task = asyncio.create_task(kitchen.whole())
    await until(lambda: kitchen.made == 1)
    await kitchen.cache.clear(LOCAL)
    kitchen.open.set()
    await task
    assert (await kitchen.whole()).route.cache == "miss"


async def test_in_redis_all_processes_share_the_answers(redis_server: RedisServer) -> None:
    stores = [RedisStore(redis_server.url, timeout=2) for _ in range(2)]
    one, two = (Kitchen(RedisValues(store)) for store in stores)
    first, sent = await one.streamed()
    await one.whole()
    await one.cache.aclose()
    assert (await two.whole()).route.cache == "hit"
    again, replayed = await two.streamed()
    assert (first.cache, again.cache) == ("miss", "hit")
    assert replayed == sent.replace(b'"cost":0.25', b'"cost":0.0')
    assert await two.cache.clear(LOCAL) == 2
    assert (await one.whole()).route.cache == "miss"
    for kitchen, store in zip((one, two), stores, strict=True):
        await kitchen.cache.aclose()
        await store.aclose()


async def test_a_redis_that_hangs_or_is_gone_delays_no_answer_by_more_than_its_timeout(
    redis_server: RedisServer,
) -> None:
    store = RedisStore(redis_server.url, timeout=0.1)
    kitchen = Kitchen(Values(MemoryValues(max_bytes=10**6), RedisValues(store)))
    redis_server.signal(signal.SIGSTOP)
    try:
        assert [(await kitchen.whole()).route.cache for _ in range(2)] == ["miss", "hit"]
        with pytest.raises(Unavailable):
            await kitchen.cache.clear(LOCAL)
    finally:
        redis_server.signal(signal.SIGCONT)
    assert await store.ping()
    redis_server.kill()
    assert (await kitchen.whole(ask("other"))).route.cache == "miss"
    assert (await kitchen.whole(ask("other"))).route.cache == "hit"
    await kitchen.cache.aclose()
    await store.aclose()


class SlowValues(MemoryValues):
    """A store that takes its time to write."""

    def __init__(self) -> None:
        super().__init__(max_bytes=10**6)
        self.open = asyncio.Event()
        self.most_at_once = self._at_once = 0

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await self.open.wait()
        await super().put(key, value, seconds=seconds)
        self._at_once -= 1


async def test_a_slow_store_delays_no_answer_and_what_waits_for_it_is_bounded() -> None:
    values = SlowValues()
    kitchen = Kitchen(values)
    for number in range(200):
        await kitchen.whole(ask(str(number)))
    assert (await kitchen.whole(ask("0"))).route.cache == "hit"
    assert (await kitchen.whole(ask("199"))).route.cache == "miss"
    values.open.set()
    await kitchen.cache.aclose()
    assert (len(values), values.most_at_once) == (64, 1)
    assert kitchen.cache.counters.stored == 64
