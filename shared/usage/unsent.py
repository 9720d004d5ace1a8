"""What Redis has to hear of reservations: each counts there once, however often that has to be sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from shared.storage.redis_store import StoreAway
from shared.usage.counter import Counter
from shared.usage.shared_counters import SharedCounters

BATCH = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount that is held in some counters; `epoch` names the outage of Redis in which it was taken of the shares."""

    id: str
    amount: Decimal
    counters: Sequence[Counter]
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A hold's end: what it came to."""

    hold: Hold
    cost: Decimal


class Unsent:
    """What Redis has yet to hear of. Adding never waits; what cannot be sent stays for the next `catch_up`."""

    def __init__(self, shared: SharedCounters) -> None:
        self._shared = shared
        self._open: dict[str, Hold] = {}
        self._waiting: dict[str, Settlement] = {}
        self._flying: dict[str, asyncio.Task[bool]] = {}
        self._outages = 0

    def opened(self, hold: Hold) -> None:
        """It is held; Redis is told again should it have been away meanwhile."""
        self._open[hold.id] = hold

    def settled(self, hold: Hold, cost: Decimal) -> None:
        """It is held no more, and came to so much: count that here, and send it."""
        self._open.pop(hold.id, None)
        settlement = Settlement(hold, cost)
        for counter in hold.counters:
            counter.unsent += cost
        self._waiting[hold.id] = settlement
        self._start(settlement)

    async def begun(self) -> None:
        """Return when everything settled before is on its way, so that what is sent now comes after it."""
        if self._flying:
            await asyncio.sleep(0)  # their tasks were scheduled before this one

    async def catch_up(self) -> None:
        """Once Redis is there again, tell it what it has missed."""
        if not self._shared.store.ok:
            return
        outages = self._shared.store.outages
        self._send()
        if outages != self._outages:
            try:
                for hold in [*self._open.values()]:
                    await self._shared.hold_again(hold.id, hold.amount, hold.counters)
            except StoreAway:
                return
            self._outages = outages

    async def tell(self) -> bool:
        """Tell Redis everything anew; whether it has heard all of it."""
        self._outages = -1
        await self.catch_up()
        await self.drained()
        return self._outages == self._shared.store.outages and not self._waiting

    async def drained(self) -> None:
        """Wait until everything is sent, or Redis is away."""
        self._send()
        while self._flying:
            await asyncio.wait([*self._flying.values()])
            await asyncio.sleep(0)  # for `_landed`, which may start more

    def _send(self) -> None:
        """Send what could not be sent before, some of it at a time for as long as that goes well."""
        left = (settlement for key, settlement in self._waiting.items() if key not in self._flying)
        for settlement in [*islice(left, BATCH)]:
            self._start(settlement)

    def _start(self, settlement: Settlement) -> None:
        task = self._flying[settlement.hold.id] = asyncio.create_task(self._sent(settlement))
        task.add_done_callback(lambda task: self._landed(settlement, task))

    def _landed(self, settlement: Settlement, task: "asyncio.Task[bool]") -> None:
        del self._flying[settlement.hold.id]
        if not self._flying and not task.cancelled() and task.exception() is None and task.result():
            self._send()

    async def _sent(self, settlement: Settlement) -> bool:
        hold, cost = settlement.hold, settlement.cost
        try:
            await self._shared.settle(hold.id, hold.amount, cost, hold.counters)
        except StoreAway:
            return False
        del self._waiting[hold.id]
        for counter in hold.counters:
            counter.unsent -= cost
        return True
