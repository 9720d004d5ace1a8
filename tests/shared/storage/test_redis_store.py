"""The Redis store, against a real server."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from shared.errors import InvalidInput
from shared.storage.redis_store import RedisStore, Script, StoreAway
from tests.support.redis_servers import RedisServer

COUNT = Script.of("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    opened = RedisStore(redis_server.url, timeout=2, retry_seconds=0.01)
    yield opened
    await opened.aclose()


async def until_ok(store: RedisStore, wanted: bool) -> None:
    async with asyncio.timeout(5):
        while store.ok is not wanted:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)


async def test_a_script_runs_and_is_known_afterwards(store: RedisStore) -> None:
    assert await store.run(COUNT, ["k"], [2]) == 2
    assert await store.run(COUNT, ["k"], [3]) == 5
    assert store.ok


async def test_many_calls_at_once_each_get_their_own_answer(store: RedisStore) -> None:
    answers = await asyncio.gather(*(store.run(COUNT, [f"k{number % 3}"], [1]) for number in range(300)))
    assert sorted(answers) == sorted([*range(1, 101)] * 3)


async def test_calls_that_wait_together_travel_together(store: RedisStore) -> None:
    await store.run(COUNT, ["k"], [1])
    before = await store._client.info("stats")
    await asyncio.gather(*(store.run(COUNT, ["k"], [1]) for _ in range(100)))
    after = await store._client.info("stats")
    assert after["total_commands_processed"] - before["total_commands_processed"] >= 100
    assert after["total_reads_processed"] - before["total_reads_processed"] < 10


async def test_a_server_that_forgot_the_script_gets_it_again(store: RedisStore) -> None:
    await store.run(COUNT, ["k"], [1])
    await store._client.script_flush()
    assert await store.run(COUNT, ["k"], [1]) == 2


async def test_a_killed_server_is_noticed_at_once_and_taken_up_again(
    store: RedisStore, redis_server: RedisServer
) -> None:
    await store.run(COUNT, ["k"], [1])
    redis_server.kill()
    with pytest.raises(StoreAway):
        await store.run(COUNT, ["k"], [1])
    assert not store.ok
    assert not await store.ping()
    redis_server.start()
    assert await store.ping()
    assert await store.run(COUNT, ["k"], [1]) == 1


async def test_a_restart_between_two_calls_goes_unnoticed(store: RedisStore, redis_server: RedisServer) -> None:
    await store.run(COUNT, ["k"], [1])
    redis_server.kill()
    redis_server.start()
    assert await store.run(COUNT, ["k"], [1]) == 1


async def test_a_hanging_server_costs_the_waiting_calls_one_timeout_and_the_next_none(
    redis_server: RedisServer,
) -> None:
    store = RedisStore(redis_server.url, timeout=0.1)
    await store.run(COUNT, ["k"], [1])
    redis_server.signal(signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(store.run(COUNT, ["k"], [1]) for _ in range(50)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreAway}
        call = store.run(COUNT, ["k"], [1])
        with pytest.raises(StoreAway):
            call.send(None)  # it fails before it waits for anything
    finally:
        redis_server.signal(signal.SIGCONT)
    assert await store.ping()
    await store.aclose()


async def test_watching_finds_the_server_gone_and_back_without_any_call(
    store: RedisStore, redis_server: RedisServer
) -> None:
    watching = asyncio.create_task(store.watch())
    await until_ok(store, True)
    redis_server.kill()
    await until_ok(store, False)
    redis_server.start()
    await until_ok(store, True)
    watching.cancel()
    await asyncio.wait([watching])


async def test_a_script_that_fails_counts_as_away(store: RedisStore) -> None:
    with pytest.raises(StoreAway):
        await store.run(Script.of("return redis.call('NONSENSE')"), [], [])
    assert await store.ping()


async def test_a_closed_store_takes_nothing_more(store: RedisStore) -> None:
    await store.aclose()
    with pytest.raises(StoreAway):
        await store.run(COUNT, ["k"], [1])


def test_a_bad_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(InvalidInput) as refused:
        RedisStore("http://user:hunter2@somewhere")
    assert "REDIS_URL" in refused.value.message
    assert "hunter2" not in str(refused.value)
