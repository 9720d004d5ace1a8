"""How many streams each API key has open: leases, which end by themselves when their process no longer renews them."""

import asyncio
import secrets
from collections import Counter
from typing import NamedTuple

from shared.storage.redis_store import RedisStore, Script, StoreAway

LEASE_SECONDS = 30.0
NAMESPACE = "mcp-gateway:streams:"

# KEYS: the leases of a key, sorted by when they end. ARGV: an id, how many there may be, ms that it lasts.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
END = "return redis.call('ZREM', KEYS[1], ARGV[1])"
UNBOUNDED = 2**31


class Lease(NamedTuple):
    """One open stream of a key."""

    key: str
    id: str


class OpenStreams:
    """Counted by all processes in Redis, and by this one alone while there is none or it is away."""

    def __init__(self, store: RedisStore | None = None, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._seconds = lease_seconds
        self._leases: set[Lease] = set()
        self._here: Counter[str] = Counter()
        self._ending: set[asyncio.Task[None]] = set()
        self._take = Script.of(TAKE)
        self._end = Script.of(END)

    async def take(self, key: str, most: int) -> Lease | None:
        """A lease for one more stream; None when the key has as many as it may."""
        if self._here[key] >= most:
            return None
        lease = Lease(key, secrets.token_hex(8))
        self._leases.add(lease)
        self._here[key] += 1
        taken = False
        try:
            taken = await self._taken(lease, most)
        finally:
            if not taken:
                self.end(lease)
        return lease if taken else None

    def end(self, lease: Lease) -> None:
        """The stream has ended. Never waits."""
        if lease not in self._leases:
            return
        self._leases.discard(lease)
        self._here[lease.key] -= 1
        if not self._here[lease.key]:
            del self._here[lease.key]
        if self._store is not None:
            task = asyncio.get_running_loop().create_task(self._ended(lease, self._store))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def run(self) -> None:
        """Renew what is open, for ever."""
        while self._store is not None:
            await asyncio.sleep(self._seconds / 3)
            await asyncio.gather(*(self._renewed(lease, self._store) for lease in tuple(self._leases)))

    async def aclose(self) -> None:
        """Wait until what has ended is known to the others."""
        await asyncio.gather(*tuple(self._ending))

    async def _taken(self, lease: Lease, most: int) -> bool:
        """Also renews a lease; while Redis is away, what this process knows decides."""
        if self._store is None:
            return True
        arguments: list[str | int | bytes] = [lease.id, most, int(self._seconds * 1000)]
        try:
            return bool(await self._store.run(self._take, [NAMESPACE + lease.key], arguments))
        except StoreAway:
            return True

    async def _renewed(self, lease: Lease, store: RedisStore) -> None:
        """Also puts in what Redis has lost, or never heard of while it was away."""
        await self._taken(lease, UNBOUNDED)
        if lease not in self._leases:
            await self._ended(lease, store)  # it ended meanwhile, and the renewal may have come after that

    async def _ended(self, lease: Lease, store: RedisStore) -> None:
        try:
            await store.run(self._end, [NAMESPACE + lease.key], [lease.id])
        except StoreAway:
            return  # it ends by itself
