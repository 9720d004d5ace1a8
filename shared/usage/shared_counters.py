"""Counters of budgets that many processes share through Redis: each change is one script, so it is all or nothing."""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from secrets import token_hex
from typing import NamedTuple

from shared.storage.redis_store import RedisStore, Script, StoreAway
from shared.usage.counter import Counter

NANO = Decimal(10) ** 9
"""Amounts are whole numbers of 10^-9 dollars there: Lua's numbers are exact up to nine million dollars then."""

UNLIMITED = Decimal(9_000_000)
"""More than any limit, and exact there."""

SETTLED_SECONDS = 600
"""How long a settled reservation is remembered, so that one sent again counts once."""

AFTERWARDS = 7200
FOR_EVER = 40 * 86_400
"""Seconds that a counter is kept after its period, or, for a total, after its last use; it can be made again."""

# KEYS: for each counter a hash (spent, held) and its reservations ("id:amount", sorted by when they end; "id:0" is one
# that was settled), and last the generation of the data. ARGV: id, amount, ms to remember it, cost, the generation that is
# known, one for data that has none, then for each counter: limit, spent so far if it is new here, spent at least, ms to
# keep it. Data of another generation than the known one has been lost meanwhile: the answer is that generation alone.
# Without a cost the amount is held in every counter, or, when one has too little left, in none; an amount of 0 only looks.
# With a cost it is let go of and the cost counted. Either happens once, even if sent again. Answers with what each has
# spent, what it holds besides, and the generation. One script for both keeps them in the order they were sent.
COUNT = """
local amount, hold, settled = tonumber(ARGV[2]), ARGV[1] .. ':' .. ARGV[2], ARGV[1] .. ':0'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local remember, cost, count = now + tonumber(ARGV[3]), ARGV[4], #KEYS - 1
redis.call('SETNX', KEYS[#KEYS], ARGV[6])
local generation = redis.call('GET', KEYS[#KEYS])
if ARGV[5] ~= '' and ARGV[5] ~= generation then return {generation} end
local answer, free = {}, true
for i = 1, count, 2 do
  local counter, holds, at = KEYS[i], KEYS[i + 1], 7 + (i - 1) / 2 * 4
  redis.call('HSETNX', counter, 'spent', ARGV[at + 1])
  if tonumber(redis.call('HGET', counter, 'spent')) < tonumber(ARGV[at + 2]) then
    redis.call('HSET', counter, 'spent', ARGV[at + 2])
  end
  for _, ended in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', holds, ended)
    redis.call('HINCRBY', counter, 'held', 0 - tonumber(string.match(ended, ':(%d+)$')))
  end
  if cost ~= '' and not redis.call('ZSCORE', holds, settled) then
    if redis.call('ZREM', holds, hold) == 1 then redis.call('HINCRBY', counter, 'held', 0 - amount) end
    redis.call('HINCRBY', counter, 'spent', cost)
    redis.call('ZADD', holds, remember, settled)
  end
  local spent = tonumber(redis.call('HGET', counter, 'spent'))
  local held = math.max(tonumber(redis.call('HGET', counter, 'held') or '0'), 0)
  if redis.call('ZSCORE', holds, hold) then held = held - amount end
  if spent + held + amount > tonumber(ARGV[at]) then free = false end
  answer[i], answer[i + 1] = spent, held
end
for i = 1, count, 2 do
  local counter, holds, keep = KEYS[i], KEYS[i + 1], ARGV[10 + (i - 1) / 2 * 4]
  if cost == '' and free and amount > 0 and not redis.call('ZSCORE', holds, settled)
    and redis.call('ZADD', holds, remember, hold) == 1 then redis.call('HINCRBY', counter, 'held', amount) end
  redis.call('PEXPIRE', counter, keep)
  redis.call('PEXPIRE', holds, keep)
end
answer[#KEYS] = generation
return answer
"""
GENERATION = "mcp-gateway:budgets:generation"


class Standing(NamedTuple):
    """How a counter stands, but for the amount it was asked to hold."""

    spent: Decimal
    held: Decimal


class SharedCounters:
    """The counters in one Redis. A reservation that nobody settles ends after `hold_seconds`.

    With `watched`, data that was lost since this process saw it is as good as no Redis, and `lost` is called for either,
    until `adopt`. Nothing is sent while `paused`.
    """

    def __init__(self, store: RedisStore, hold_seconds: float) -> None:
        self.store = store
        self.watched = self.paused = False
        self.lost: Callable[[], None] = lambda: None
        self._generation = ""
        self._hold = math.ceil(hold_seconds * 1000)
        self._count = Script.of(COUNT)

    async def reserve(
        self, hold: str, amount: Decimal, counters: Sequence[Counter], limits: Sequence[Decimal]
    ) -> list[Standing]:
        """Hold an amount in all of them if each has it left. Raises StoreAway."""
        return await self._run([hold, _up(amount), self._hold, ""], counters, limits)

    async def look(self, counters: Sequence[Counter]) -> list[Standing]:
        """How they stand. Raises StoreAway."""
        return await self.reserve("", Decimal(0), counters, [UNLIMITED] * len(counters))

    async def hold_again(self, hold: str, amount: Decimal, counters: Sequence[Counter]) -> None:
        """Hold what this process let through by itself, or what Redis has lost. Raises StoreAway."""
        await self.reserve(hold, amount, counters, [UNLIMITED] * len(counters))

    async def settle(self, hold: str, amount: Decimal, cost: Decimal, counters: Sequence[Counter]) -> list[Standing]:
        """Let go of an amount and count what it came to. Raises StoreAway."""
        arguments: list[str | int] = [hold, _up(amount), SETTLED_SECONDS * 1000, _up(cost)]
        return await self._run(arguments, counters, [UNLIMITED] * len(counters))

    def adopt(self) -> None:
        """Take the data as it is from now on."""
        self._generation = ""

    async def _run(
        self, arguments: list[str | int], counters: Sequence[Counter], limits: Sequence[Decimal]
    ) -> list[Standing]:
        if self.paused:
            raise StoreAway
        arguments += [self._generation, token_hex(8)]
        for counter, limit in zip(counters, limits, strict=True):
            begin, least = (counter.confirmed, counter.told) if counter.seed is None else (counter.seed, counter.seed)
            arguments += [_down(limit), _up(begin), _up(least), _keep(counter)]
        try:
            *numbers, generation = await self.store.run(self._count, [*_keys(counters), GENERATION], arguments)
        except StoreAway:
            self.lost()
            raise
        if len(numbers) < 2 * len(counters):
            self.lost()
            raise StoreAway
        if self.watched:
            self._generation = generation.decode()
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        standings = [Standing(_dollars(spent), _dollars(held)) for spent, held in pairs]
        for counter, standing in zip(counters, standings, strict=True):
            counter.hear(standing.spent)
        return standings


def _keys(counters: Sequence[Counter]) -> list[str]:
    names = [f"mcp-gateway:budget:{counter.key}" for counter in counters]
    return [key for name in names for key in (name, f"{name}:holds")]


def _keep(counter: Counter) -> int:
    end = counter.span.end
    return (FOR_EVER if end is None else math.ceil((end - counter.opened).total_seconds()) + AFTERWARDS) * 1000


def _up(amount: Decimal) -> int:
    return int((amount * NANO).to_integral_value(ROUND_CEILING))


def _down(amount: Decimal) -> int:
    return int((amount * NANO).to_integral_value(ROUND_FLOOR))


def _dollars(nano: int) -> Decimal:
    return Decimal(int(nano)) / NANO
