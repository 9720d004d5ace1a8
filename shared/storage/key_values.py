"""Values that may be lost at any time, under keys, for a while: in this process, or shared through Redis."""

import asyncio
import re
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from shared.storage.redis_store import RedisStore, Script, StoreAway

NAMESPACE = "mcp-gateway:value:"
"""Before each key in Redis, which may hold other people's."""

OVERHEAD = 250
"""About how many bytes an entry takes besides its key and value."""

GET = Script.of("return redis.call('GET', KEYS[1])")
PUT = Script.of("return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])")

# ARGV: pattern, cursor, and about how many keys to look at. Answers with the next cursor and how many are gone.
CLEAR = Script.of("""
local found = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[1], 'COUNT', ARGV[3])
local gone = 0
for _, key in ipairs(found[2]) do gone = gone + redis.call('UNLINK', key) end
return {found[1], gone}
""")
LOOKED_AT = 1000

AT_ONCE = 4
"""Values on their way to or from Redis."""


class KeyValues(Protocol):
    """Where values are kept under keys. `seconds` is how long a value is of use."""

    async def get(self, key: str) -> bytes | None:
        """The value, None when there is none any more."""

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        """Keep a value, in place of an earlier one."""

    async def clear(self, prefix: str) -> int:
        """Remove what is kept under keys that begin so; how many there were."""


class _Kept(NamedTuple):
    value: bytes
    expires: float


class MemoryValues:
    """Values of this process, the least recently used ones dropped for new ones. `clock` gives seconds."""

    def __init__(
        self, *, max_bytes: int, max_entries: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    @property
    def used(self) -> int:
        """About how many bytes of memory it takes."""
        return self._bytes

    def __len__(self) -> int:
        """How many values it holds, those included that are of no use any more and not yet dropped."""
        return len(self._kept)

    async def get(self, key: str) -> bytes | None:
        """As KeyValues.get."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.value

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        """As KeyValues.put; what is larger than all the room there is, is not kept."""
        self._drop(key)
        size = _size(key, value)
        if size > self._max_bytes:
            return
        self._kept[key] = _Kept(value, self._clock() + seconds)
        self._bytes += size
        while self._bytes > self._max_bytes or len(self._kept) > self._max_entries:
            self._drop(next(iter(self._kept)))

    async def clear(self, prefix: str) -> int:
        """As KeyValues.clear."""
        found = [key for key in self._kept if key.startswith(prefix)]
        for key in found:
            self._drop(key)
        return len(found)

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= _size(key, kept.value)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD


class RedisValues:
    """Values that all processes share. Everything here raises StoreAway when Redis does not answer in time.

    They travel compressed and few at once: the connection is also the rate limits', which must not wait for them.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._room = asyncio.Semaphore(AT_ONCE)

    async def get(self, key: str) -> bytes | None:
        """As KeyValues.get; what somebody else put under the key is no value."""
        async with self._room:
            value: bytes | None = await self._store.run(GET, [NAMESPACE + key], [])
        try:
            return None if value is None else zlib.decompress(value)
        except zlib.error:
            return None

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        """As KeyValues.put; a lifetime counts in whole milliseconds."""
        packed = zlib.compress(value, level=1)
        async with self._room:
            await self._store.run(PUT, [NAMESPACE + key], [packed, max(1, round(seconds * 1000))])

    async def clear(self, prefix: str) -> int:
        """As KeyValues.clear, in many short steps; keys of others in the same Redis stay."""
        pattern = re.sub(r"([\\*?\[\]^-])", r"\\\1", NAMESPACE + prefix) + "*"
        cursor, removed = b"0", 0
        while True:
            cursor, gone = await self._store.run(CLEAR, [], [pattern, cursor, LOOKED_AT])
            removed += int(gone)
            if cursor == b"0":
                return removed


class Values:
    """Values in Redis, or in this process while there is none or it is away."""

    def __init__(self, memory: MemoryValues, redis: RedisValues | None = None) -> None:
        self._memory = memory
        self._redis = redis

    async def get(self, key: str) -> bytes | None:
        """As KeyValues.get."""
        if self._redis is None:
            return await self._memory.get(key)
        try:
            return await self._redis.get(key)
        except StoreAway:
            return await self._memory.get(key)

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        """As KeyValues.put."""
        if self._redis is None:
            return await self._memory.put(key, value, seconds=seconds)
        try:
            await self._redis.put(key, value, seconds=seconds)
        except StoreAway:
            await self._memory.put(key, value, seconds=seconds)

    async def clear(self, prefix: str) -> int:
        """As KeyValues.clear. Raises StoreAway when Redis is away: what is there could come back."""
        removed = await self._memory.clear(prefix)
        return removed if self._redis is None else removed + await self._redis.clear(prefix)
