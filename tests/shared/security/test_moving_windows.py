"""Moving windows: the same promises in memory and in a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from shared.security import moving_windows
from shared.security.moving_windows import Limit, MemoryWindows, Windows
from shared.storage.redis_store import RedisStore, Script
from tests.support.clock import Clock
from tests.support.redis_servers import RedisServer


class Bench:
    """Windows whose clock the test moves."""

    def __init__(self, windows: Windows, clock: Clock) -> None:
        self.windows = windows
        self.clock = clock

    async def hits(self, count: int, *limits: Limit) -> int:
        """How many of so many hits were let through."""
        return [(await self.windows.hit(limits))[0] for _ in range(count)].count(True)


class TimedRedisStore(RedisStore):
    """Runs the window script with the test's time instead of the server's."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url)
        self._clock = clock

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """The same script, its one call of TIME answered by the test."""
        now = self._clock.seconds()
        source = script.source.replace("redis.call('TIME')", f"{{{int(now)}, {int(now % 1 * 1e6)}}}")
        return await super().run(Script.of(source), keys, arguments)


@pytest.fixture(params=["memory", "redis"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    clock = Clock()
    memory = MemoryWindows(clock.seconds)
    if request.param == "memory":
        yield Bench(Windows(memory), clock)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    store = TimedRedisStore(server.url, clock)
    yield Bench(Windows(memory, store), clock)
    assert store.ok
    await store.aclose()


MINUTE = Limit("a", 3, 60)


async def test_a_window_takes_so_many_and_no_more(bench: Bench) -> None:
    assert await bench.hits(5, MINUTE) == 3
    assert await bench.hits(5, MINUTE._replace(key="b")) == 3


async def test_each_hit_leaves_a_whole_period_after_it_came(bench: Bench) -> None:
    for _ in range(3):
        assert await bench.hits(1, MINUTE) == 1
        bench.clock.advance(seconds=10)
    bench.clock.advance(seconds=29.9)
    assert await bench.hits(1, MINUTE) == 0
    bench.clock.advance(seconds=0.2)
    assert await bench.hits(2, MINUTE) == 1
    bench.clock.advance(seconds=10)
    assert await bench.hits(2, MINUTE) == 1


async def test_no_period_ever_holds_more_than_the_limit(bench: Bench) -> None:
    let_through: list[float] = []
    for step in range(400):
        bench.clock.advance(seconds=0.1 + step % 7 * 0.37)
        if await bench.hits(1, MINUTE):
            let_through.append(bench.clock.seconds())
    assert len(let_through) > 20
    assert all(later - earlier >= 60 for earlier, later in zip(let_through, let_through[3:], strict=False))


async def test_a_standing_tells_how_many_and_for_how_long(bench: Bench) -> None:
    await bench.hits(1, MINUTE)
    bench.clock.advance(seconds=20)
    allowed, (standing,) = await bench.windows.hit([MINUTE])
    assert allowed
    assert standing.used == 2
    assert standing.frees_in == pytest.approx(40, abs=0.05)
    await bench.hits(1, MINUTE)
    allowed, (standing,) = await bench.windows.hit([MINUTE])
    assert (allowed, standing.used) == (False, 3)
    assert standing.frees_in == pytest.approx(40, abs=0.05)
    bench.clock.advance(seconds=standing.frees_in + 0.001)
    assert await bench.hits(1, MINUTE) == 1


async def test_a_hit_that_one_window_refuses_counts_in_none(bench: Bench) -> None:
    narrow, wide = Limit("narrow", 1, 60), Limit("wide", 10, 3600)
    assert await bench.hits(5, narrow, wide) == 1
    _, (standing,) = await bench.windows.hit([wide])
    assert standing.used == 2


async def test_a_hit_given_back_makes_room(bench: Bench) -> None:
    await bench.windows.give_back(MINUTE)
    await bench.hits(2, MINUTE)
    bench.clock.advance(seconds=10)
    assert await bench.hits(1, MINUTE) == 1
    await bench.windows.give_back(MINUTE)
    assert await bench.hits(2, MINUTE) == 1
    for _ in range(10):
        await bench.windows.give_back(MINUTE)
    assert await bench.hits(9, MINUTE) == 3


async def test_a_flood_under_a_large_limit_keeps_few_slots(bench: Bench) -> None:
    large = Limit("large", 1_000_000, 60)
    for _ in range(30):
        assert await bench.hits(50, large) == 50
        bench.clock.advance(seconds=0.001)
    _, (standing,) = await bench.windows.hit([large])
    assert standing.used == 1501
    if isinstance(bench.windows._store, RedisStore):
        length = await bench.windows._store._client.llen("mcp-gateway:limit:{large}")
        assert length <= 2 * 5
    else:
        assert len(bench.windows._memory._windows["large"].slots) <= 5


async def test_redis_forgets_windows_by_itself(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=2)
    await Windows(MemoryWindows(), store).hit([MINUTE])
    names = await store._client.keys("*")
    assert sorted(names) == [b"mcp-gateway:limit:{a}", b"mcp-gateway:limit:{a}:sum"]
    for name in names:
        assert 60_000 < await store._client.pttl(name) <= 60_100
    await store.aclose()


async def test_five_hundred_at_once_over_two_instances_share_one_exact_limit(redis_server: RedisServer) -> None:
    stores = [RedisStore(redis_server.url, timeout=5) for _ in range(2)]
    both = [Windows(MemoryWindows(), store) for store in stores]
    limits = [Limit("a", 123, 60), Limit("b", 400, 3600)]
    answers = await asyncio.gather(*(both[number % 2].hit(limits) for number in range(500)))
    assert [allowed for allowed, _ in answers].count(True) == 123
    assert sorted(standings[0].used for allowed, standings in answers if allowed) == [*range(1, 124)]
    for store in stores:
        assert store.ok
        await store.aclose()


async def test_without_redis_this_process_counts_and_with_it_again_they_share(redis_server: RedisServer) -> None:
    stores = [RedisStore(redis_server.url, timeout=2) for _ in range(2)]
    one, two = (Windows(MemoryWindows(), store) for store in stores)

    async def used(windows: Windows) -> int:
        return (await windows.hit([Limit("a", 100, 60)]))[1][0].used

    assert [await used(one), await used(two)] == [1, 2]
    redis_server.kill()
    assert [await used(one), await used(one), await used(two)] == [1, 2, 1]
    await one.give_back(Limit("a", 100, 60))
    assert await used(one) == 2
    assert [store.ok for store in stores] == [False, False]
    redis_server.start()
    for store in stores:
        assert await store.ping()
    assert [await used(one), await used(two)] == [1, 2]
    for store in stores:
        await store.aclose()


def test_windows_that_are_empty_are_swept() -> None:
    clock = Clock()
    memory = MemoryWindows(clock.seconds)
    for number in range(900):
        memory.hit([Limit(f"old {number}", 5, 60)])
    clock.advance(seconds=61)
    for number in range(200):
        memory.hit([Limit(f"new {number}", 5, 60)])
    assert len(memory._windows) == 200


def test_there_are_never_more_windows_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving_windows, "MOST_KEYS", 10)
    memory = MemoryWindows(Clock().seconds)
    for number in range(50):
        assert memory.hit([Limit(f"client {number}", 5, 60), Limit(f"caller {number}", 5, 60)])[0]
    assert len(memory._windows) == 10


async def test_a_request_may_count_as_several_hits_and_all_or_none_of_them_do(bench: Bench) -> None:
    big = Limit("tokens", 10, 60)
    assert await bench.hits(1, big._replace(cost=7)) == 1
    assert await bench.hits(1, big._replace(cost=4)) == 0
    assert await bench.hits(1, big._replace(cost=3)) == 1
    bench.clock.advance(seconds=61)
    assert await bench.hits(1, big._replace(cost=10)) == 1


async def test_hits_are_taken_away_from_where_they_came(bench: Bench) -> None:
    big = Limit("tokens", 10, 60)
    _, (first,) = await bench.windows.hit([big._replace(cost=6)])
    bench.clock.advance(seconds=30)
    assert await bench.hits(1, big._replace(cost=4)) == 1
    await bench.windows.take_away(big, first.slot, 5)
    assert await bench.hits(1, big._replace(cost=5)) == 1
    assert await bench.hits(1, big) == 0
    bench.clock.advance(seconds=31)  # the first has left, with the one hit that it had kept
    assert await bench.hits(2, big) == 1
    await bench.windows.take_away(big, first.slot, 5)
    assert await bench.hits(1, big) == 0
