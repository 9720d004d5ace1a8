"""Leases of streams: counted over all processes, and ended with the one that held them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from shared.security.open_streams import END, TAKE, UNBOUNDED, OpenStreams
from shared.storage.redis_store import RedisStore, Script
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

SHORT = 0.3


@asynccontextmanager
async def streams_at(server: RedisServer, seconds: float = 30) -> AsyncIterator[OpenStreams]:
    store = RedisStore(server.url)
    streams = OpenStreams(store, lease_seconds=seconds)
    yield streams
    await streams.aclose()
    await store.aclose()


async def taken(streams: OpenStreams, key: str) -> None:
    """Return once the key's only stream may be taken."""
    async with asyncio.timeout(5):
        while await streams.take(key, 1) is None:  # noqa: ASYNC110 - the other is another process's
            await asyncio.sleep(0.02)


async def test_two_processes_share_one_exact_limit(redis_server: RedisServer) -> None:
    async with streams_at(redis_server) as one, streams_at(redis_server) as two:
        leases = await asyncio.gather(*(place.take("key", 5) for place in (one, two) for _ in range(50)))
        assert len([lease for lease in leases if lease]) == 5
        assert await one.take("other key", 1)


async def test_a_stream_that_ended_makes_room_in_every_process(redis_server: RedisServer) -> None:
    async with streams_at(redis_server) as one, streams_at(redis_server) as two:
        lease = await one.take("key", 1)
        assert lease is not None
        assert await two.take("key", 1) is None
        one.end(lease)
        one.end(lease)  # which changes nothing
        await one.aclose()
        assert await two.take("key", 1)
        assert await one.take("key", 1) is None


async def test_a_lease_lasts_while_its_process_renews_it(redis_server: RedisServer) -> None:
    async with streams_at(redis_server, SHORT) as alive, streams_at(redis_server, SHORT) as dead:
        renewing = asyncio.create_task(alive.run())
        assert await alive.take("alive", 1)
        assert await dead.take("dead", 1)
        async with streams_at(redis_server, SHORT) as other:
            await taken(other, "dead")
            assert await other.take("alive", 1) is None
        renewing.cancel()


class SlowToRenew(RedisStore):
    """Keeps renewals back until it may go on, and notes what Redis was told."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.renewing, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.told: list[str] = []

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
        if UNBOUNDED in arguments:
            self.renewing.set()
            await self.may_go_on.wait()
        answer = await super().run(script, keys, arguments)
        self.told.append(script.source)
        return answer


async def test_a_stream_that_ends_while_it_is_renewed_has_ended(redis_server: RedisServer) -> None:
    store = SlowToRenew(redis_server.url)
    streams = OpenStreams(store, lease_seconds=SHORT)
    lease = await streams.take("key", 1)
    assert lease is not None
    renewing = asyncio.create_task(streams.run())
    await store.renewing.wait()
    streams.end(lease)
    await streams.aclose()
    assert store.told == [TAKE, END]
    store.may_go_on.set()
    await until(lambda: store.told == [TAKE, END, TAKE, END])
    renewing.cancel()
    await store.aclose()


HOLDER = """
import asyncio, sys
from shared.security.open_streams import OpenStreams
from shared.storage.redis_store import RedisStore

async def main():
    streams = OpenStreams(RedisStore(sys.argv[1]), lease_seconds=0.5)
    assert await streams.take("key", 1)
    print("held", flush=True)
    await streams.run()

asyncio.run(main())
"""


async def test_a_killed_process_holds_its_streams_no_longer_than_a_lease(redis_server: RedisServer) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, redis_server.url, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    async with streams_at(redis_server) as streams:
        assert await streams.take("key", 1) is None
        holder.kill()
        await holder.wait()
        await taken(streams, "key")


async def test_while_redis_is_away_this_process_counts_alone(redis_server: RedisServer) -> None:
    async with streams_at(redis_server) as streams:
        redis_server.kill()
        assert await streams.take("key", 2)
        second = await streams.take("key", 2)
        assert second
        assert await streams.take("key", 2) is None
        streams.end(second)
        assert await streams.take("key", 2)
