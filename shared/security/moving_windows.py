"""Moving windows: at most so many hits within any period, counted in memory or in Redis."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from limits import RateLimitItem

from shared.storage.redis_store import RedisStore, Script, StoreAway

SLOTS = 5000
"""A hit leaves its window at the end of its slot, 1/5000 of the period: never early, and memory stays bounded."""

MOST_KEYS = 50_000

# KEYS: for each window the list of its slots (slot, hits, slot, hits, …; oldest first) and the sum of the hits.
# ARGV: SLOTS, then for each: limit, period in ms, and how many hits this is. They count in every window, or, when one
# has too little room, in none. Answers for each with its hits, ms until the oldest leaves, and the slot of now.
HIT = """
local slots = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local answer, free = {}, true
for i = 1, #KEYS, 2 do
  local at = 2 + (i - 1) / 2 * 3
  local limit, period, cost = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local width = period / slots
  local total = tonumber(redis.call('GET', KEYS[i + 1]) or '0')
  local oldest = redis.call('LINDEX', KEYS[i], 0)
  while oldest and tonumber(oldest) + slots < math.floor(now / width) do
    redis.call('LPOP', KEYS[i])
    total = total - tonumber(redis.call('LPOP', KEYS[i]))
    redis.call('SET', KEYS[i + 1], total, 'PX', math.ceil(period + 2 * width))
    oldest = redis.call('LINDEX', KEYS[i], 0)
  end
  if not oldest then total = 0 end
  if total + cost > limit then free = false end
  answer[at - 1] = total
  answer[at] = math.ceil(((oldest or math.floor(now / width)) + slots + 1) * width - now)
  answer[at + 1] = math.floor(now / width)
end
if free then
  for i = 1, #KEYS, 2 do
    local at = 2 + (i - 1) / 2 * 3
    local period, cost = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local width = period / slots
    local slot = string.format('%.0f', math.floor(now / width))
    if redis.call('LINDEX', KEYS[i], -2) == slot then
      redis.call('LSET', KEYS[i], -1, tonumber(redis.call('LINDEX', KEYS[i], -1)) + cost)
    else
      redis.call('RPUSH', KEYS[i], slot, cost)
    end
    answer[at - 1] = answer[at - 1] + cost
    redis.call('SET', KEYS[i + 1], answer[at - 1], 'PX', math.ceil(period + 2 * width))
    redis.call('PEXPIRE', KEYS[i], math.ceil(period + 2 * width))
  end
end
answer[#answer + 1] = free and 1 or 0
return answer
"""

GIVE_BACK = """
local hits = tonumber(redis.call('LINDEX', KEYS[1], -1) or '0')
if hits == 0 then return 0 end
if hits > 1 then redis.call('LSET', KEYS[1], -1, hits - 1)
else redis.call('RPOP', KEYS[1]) redis.call('RPOP', KEYS[1]) end
redis.call('DECR', KEYS[2])
return 1
"""

# KEYS as above, of one window. ARGV: a slot and how many of its hits to take away; those that have left are gone anyway.
TAKE_AWAY = """
local at = redis.call('LPOS', KEYS[1], ARGV[1], 'RANK', -1)
if not at then return 0 end
local hits = tonumber(redis.call('LINDEX', KEYS[1], at + 1))
local gone = math.min(hits, tonumber(ARGV[2]))
redis.call('LSET', KEYS[1], at + 1, hits - gone)
redis.call('DECRBY', KEYS[2], gone)
return gone
"""

UNBOUNDED = 10**15
"""As an amount: hits that count whatever there is already."""


class Limit(NamedTuple):
    """At most `amount` hits within any `period` seconds, counted under `key`; a request is `cost` of them."""

    key: str
    amount: int
    period: int
    cost: int = 1

    @classmethod
    def of(cls, item: "RateLimitItem", identifier: str) -> "Limit":
        """The limit that `item` describes, for one client."""
        return cls(item.key_for(identifier), item.amount, item.get_expiry())


class Standing(NamedTuple):
    """How a window stands: hits in it, seconds until the oldest ones leave, and the slot that now is in."""

    used: int
    frees_in: float
    slot: int = 0


class _Window:
    __slots__ = ("hits", "period", "slots", "total")

    def __init__(self, period: int) -> None:
        self.period = period
        self.slots: deque[int] = deque()
        self.hits: deque[int] = deque()
        self.total = 0

    def forget(self, current: int) -> None:
        slots = self.slots
        while slots and slots[0] + SLOTS < current:
            slots.popleft()
            self.total -= self.hits.popleft()

    def add(self, current: int, cost: int) -> None:
        if self.slots and self.slots[-1] == current:
            self.hits[-1] += cost
        else:
            self.slots.append(current)
            self.hits.append(cost)
        self.total += cost


class MemoryWindows:
    """Windows of this process. Nothing here waits, so tasks cannot come between a look and a hit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._since_sweep = 0

    def hit(self, limits: Sequence[Limit]) -> tuple[bool, list[Standing]]:
        """Whether there is room in every window; only then the hit counts, in all of them."""
        now = self._clock()
        found: list[tuple[_Window, int, int]] = []
        free = True
        for limit in limits:
            window = self._windows.get(limit.key)
            if window is None:
                window = self._opened(limit)
            current = int(now * SLOTS / limit.period)
            window.forget(current)
            if window.total + limit.cost > limit.amount:
                free = False
            found.append((window, current, limit.cost))
        if free:
            for window, current, cost in found:
                window.add(current, cost)
        return free, [_standing(window, current, now) for window, current, _ in found]

    def take_away(self, limit: Limit, slot: int, hits: int) -> None:
        """Take away some of the hits that came in that slot, if they are still there."""
        window = self._windows.get(limit.key)
        if window is None or slot not in window.slots:
            return
        at = window.slots.index(slot)
        gone = min(window.hits[at], hits)
        window.hits[at] -= gone
        window.total -= gone

    def give_back(self, limit: Limit) -> None:
        """Take the newest hit away again."""
        window = self._windows.get(limit.key)
        if window is None or not window.slots:
            return
        window.total -= 1
        window.hits[-1] -= 1
        if not window.hits[-1]:
            window.slots.pop()
            window.hits.pop()

    def _opened(self, limit: Limit) -> _Window:
        self._since_sweep += 1
        if self._since_sweep > 1000:
            self._sweep()
        if len(self._windows) >= MOST_KEYS:
            del self._windows[next(iter(self._windows))]
        window = self._windows[limit.key] = _Window(limit.period)
        return window

    def _sweep(self) -> None:
        self._since_sweep = 0
        now = self._clock()
        for key, window in tuple(self._windows.items()):
            window.forget(int(now * SLOTS / window.period))
            if not window.total:
                del self._windows[key]


class Windows:
    """Windows shared through Redis, or this process's own while there is none or it is away."""

    def __init__(self, memory: MemoryWindows, store: RedisStore | None = None) -> None:
        self._memory = memory
        self._store = store
        self._hit = Script.of(HIT)
        self._give_back = Script.of(GIVE_BACK)
        self._take_away = Script.of(TAKE_AWAY)

    async def hit(self, limits: Sequence[Limit]) -> tuple[bool, list[Standing]]:
        """As MemoryWindows.hit; with Redis it is one round trip."""
        if self._store is None:
            return self._memory.hit(limits)
        keys = [key for limit in limits for key in _keys(limit)]
        arguments = [SLOTS, *(value for limit in limits for value in (limit.amount, limit.period * 1000, limit.cost))]
        try:
            *numbers, free = await self._store.run(self._hit, keys, arguments)
        except StoreAway:
            return self._memory.hit(limits)
        found = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        return bool(free), [Standing(int(used), int(left) / 1000, int(slot)) for used, left, slot in found]

    async def give_back(self, limit: Limit) -> None:
        """As MemoryWindows.give_back."""
        if self._store is None:
            return self._memory.give_back(limit)
        try:
            await self._store.run(self._give_back, _keys(limit), ())
        except StoreAway:
            self._memory.give_back(limit)

    async def take_away(self, limit: Limit, slot: int, hits: int) -> None:
        """As MemoryWindows.take_away; what was counted elsewhere meanwhile leaves by itself."""
        self._memory.take_away(limit, slot, hits)
        if self._store is not None:
            with contextlib.suppress(StoreAway):
                await self._store.run(self._take_away, _keys(limit), [slot, hits])


def _standing(window: _Window, current: int, now: float) -> Standing:
    oldest = window.slots[0] if window.slots else current
    return Standing(window.total, (oldest + SLOTS + 1) * window.period / SLOTS - now, current)


def _keys(limit: Limit) -> tuple[str, str]:
    name = f"mcp-gateway:limit:{{{limit.key}}}"
    return name, f"{name}:sum"
