"""Values under keys: the same promises in memory and in a real Redis."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from shared.storage.key_values import NAMESPACE, KeyValues, MemoryValues, RedisValues, Values
from shared.storage.redis_store import RedisStore, StoreAway
from tests.support.clock import Clock
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

SMALL = 10_000


@dataclass
class Bench:
    """Values, and a way to let time pass for them."""

    values: KeyValues
    pass_seconds: Callable[[float], None]


@pytest.fixture(params=["memory", "redis", "either"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    clock = Clock()
    memory = MemoryValues(max_bytes=1_000_000, clock=clock.seconds)
    if request.param == "memory":
        yield Bench(Values(memory), lambda seconds: clock.advance(seconds=seconds))
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    store = RedisStore(server.url, timeout=5)
    redis = RedisValues(store)
    yield Bench(redis if request.param == "redis" else Values(memory, redis), lambda seconds: None)
    assert store.ok
    assert not len(memory)
    await store.aclose()


async def test_a_value_is_there_until_another_takes_its_place(bench: Bench) -> None:
    assert await bench.values.get("a") is None
    await bench.values.put("a", b"one", seconds=60)
    await bench.values.put("b", b"other", seconds=60)
    assert await bench.values.get("a") == b"one"
    await bench.values.put("a", b"two", seconds=60)
    assert await bench.values.get("a") == b"two"
    assert await bench.values.get("b") == b"other"


async def test_any_bytes_come_back_as_they_were(bench: Bench) -> None:
    for value in (b"", bytes(range(256)), b"\r\n*1\r\n$4\r\nQUIT\r\n", b"\x00" * 100_000):
        await bench.values.put("käse \n\x00", value, seconds=60)
        assert await bench.values.get("käse \n\x00") == value


async def test_a_value_is_gone_after_its_time(bench: Bench) -> None:
    await bench.values.put("a", b"one", seconds=0.05)
    await bench.values.put("b", b"other", seconds=60)
    bench.pass_seconds(0.05)

    async def gone() -> None:
        while await bench.values.get("a") is not None:  # noqa: ASYNC110 (a server's clock cannot be moved)
            await asyncio.sleep(0.005)

    await asyncio.wait_for(gone(), 5)
    assert await bench.values.get("b") == b"other"


async def test_clearing_takes_what_begins_so_and_nothing_else(bench: Bench) -> None:
    for number in range(2500):
        await bench.values.put(f"mine:{number}", b"x", seconds=60)
    for key in ("mine", "theirs:1", "xmine:1"):
        await bench.values.put(key, b"y", seconds=60)
    assert await bench.values.clear("mine:") == 2500
    assert await bench.values.clear("mine:") == 0
    assert await bench.values.get("mine:7") is None
    assert [await bench.values.get(key) for key in ("mine", "theirs:1", "xmine:1")] == [b"y"] * 3


@pytest.mark.parametrize("special", ["*", "?", "[a-z]", "\\", "^", "[", "]", "{a}", "-"])
async def test_a_prefix_means_itself_and_is_no_pattern(bench: Bench, special: str) -> None:
    await bench.values.put("ab:1", b"x", seconds=60)
    await bench.values.put(f"{special}:1", b"x", seconds=60)
    assert await bench.values.clear(f"{special}:") == 1
    assert await bench.values.get("ab:1") == b"x"


async def test_memory_is_bounded_in_bytes_and_drops_what_was_used_longest_ago() -> None:
    values = MemoryValues(max_bytes=SMALL)
    for number in range(500):
        await values.put(str(number), b"x" * 1000, seconds=60)
        assert await values.get("0") is not None
        assert values.used <= SMALL
    assert len(values) == SMALL // 1252
    assert await values.get("499") is not None
    assert await values.get("480") is None


async def test_memory_is_bounded_in_entries() -> None:
    values = MemoryValues(max_bytes=10**9, max_entries=10)
    for number in range(100):
        await values.put(str(number), b"", seconds=60)
    assert len(values) == 10
    assert await values.get("90") == b""


async def test_what_is_larger_than_all_the_room_pushes_nothing_out() -> None:
    values = MemoryValues(max_bytes=SMALL)
    await values.put("a", b"x", seconds=60)
    await values.put("b", b"x" * SMALL, seconds=60)
    assert await values.get("a") == b"x"
    assert await values.get("b") is None


async def test_memory_counts_nothing_for_what_is_gone() -> None:
    clock = Clock()
    values = MemoryValues(max_bytes=SMALL, clock=clock.seconds)
    for key in ("replaced", "replaced", "expired", "cleared"):
        await values.put(key, b"x" * 100, seconds=60)
    await values.put("replaced", b"x" * SMALL, seconds=60)
    clock.advance(seconds=60)
    assert await values.get("expired") is None
    await values.clear("clear")
    assert (len(values), values.used) == (0, 0)


async def test_in_redis_all_keys_are_ours_by_name_and_end_by_themselves(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=2)
    await store._client.set("somebody:else", b"1")
    values = RedisValues(store)
    await values.put("a", b"x", seconds=60)
    assert sorted(await store._client.keys("*")) == [f"{NAMESPACE}a".encode(), b"somebody:else"]
    assert 59_000 < await store._client.pttl(f"{NAMESPACE}a") <= 60_000
    assert await values.clear("") == 1
    assert await store._client.keys("*") == [b"somebody:else"]
    await store.aclose()


async def test_what_others_put_under_our_keys_is_no_value(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=2)
    await store._client.set(f"{NAMESPACE}a", b"not ours")
    assert await RedisValues(store).get("a") is None
    await store.aclose()


async def test_a_flood_of_large_values_does_not_make_redis_look_away(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=2)
    values = RedisValues(store)
    large = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n' * 20_000
    await asyncio.gather(*(values.put(str(number), large, seconds=60) for number in range(20)))
    found = await asyncio.gather(*(values.get(str(number % 20)) for number in range(100)))
    assert found == [large] * 100
    assert store.ok
    await store.aclose()


async def test_redis_is_shared_between_processes(redis_server: RedisServer) -> None:
    stores = [RedisStore(redis_server.url, timeout=2) for _ in range(2)]
    one, other = (RedisValues(store) for store in stores)
    await one.put("a", b"x", seconds=60)
    assert await other.get("a") == b"x"
    for store in stores:
        await store.aclose()


async def test_while_redis_is_away_memory_takes_its_place(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=2, retry_seconds=0.01)
    values = Values(MemoryValues(max_bytes=SMALL), RedisValues(store))
    await values.put("a", b"in redis", seconds=60)
    redis_server.kill()
    assert await values.get("a") is None
    await values.put("a", b"in memory", seconds=60)
    assert await values.get("a") == b"in memory"
    with pytest.raises(StoreAway):
        await values.clear("")
    redis_server.start()
    assert await store.ping()
    await values.put("a", b"back", seconds=60)
    assert await RedisValues(store).get("a") == b"back"
    assert await values.clear("") == 1
    await store.aclose()


async def test_a_hanging_redis_costs_one_timeout_and_nothing_is_lost(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, timeout=0.1)
    values = Values(MemoryValues(max_bytes=SMALL), RedisValues(store))
    await values.put("a", b"x", seconds=60)
    redis_server.signal(signal.SIGSTOP)
    try:
        await asyncio.gather(*(values.put(str(number), b"x", seconds=60) for number in range(20)))
        await until(lambda: not store.ok)
        assert await values.get("7") == b"x"
    finally:
        redis_server.signal(signal.SIGCONT)
    await store.aclose()
