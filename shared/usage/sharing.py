"""Reservations that hold over all processes: in Redis, or while that is away in the shares that they agree on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from shared.domain.budgets import Budget, WithoutRedis
from shared.storage.database import Database
from shared.storage.redis_store import StoreAway
from shared.usage.agreement import Position
from shared.usage.counter import NOTHING, Counter
from shared.usage.outage import Outage
from shared.usage.refusal import share_refusal
from shared.usage.shared_counters import SharedCounters
from shared.usage.unsent import Hold, Unsent

if TYPE_CHECKING:
    from shared.usage.budgets import Budgets


class Sharing:
    """Holds money by what counts now; `without_redis` says whether the processes have shares while Redis is away."""

    def __init__(
        self,
        budgets: "Budgets",
        shared: SharedCounters,
        unsent: Unsent,
        database: Database,
        clock: Callable[[], datetime],
        without_redis: WithoutRedis,
    ) -> None:
        self._budgets = budgets
        self._unsent = unsent
        self._shared = shared
        self.outage = Outage(
            database,
            shared.store,
            clock,
            refuse=without_redis == "refuse",
            limits=self._limits,
            positions=self._positions,
            tell=self._tell,
            pause=self._pause,
        )
        shared.watched, shared.lost = True, self.outage.lost

    async def hold(self, hold: Hold, budgets: Sequence[Budget]) -> Hold:
        """Hold an amount; the hold that was made. Raises BudgetExceeded."""
        outage = self.outage
        while True:
            await outage.settled()
            if outage.mode == "sharing":
                hold = replace(self._budgets.hold_of(budgets, hold.amount), epoch=outage.epoch)
                self._budgets.check(budgets, hold.counters, hold.amount)
                self._take(hold, budgets)
                return hold
            await self._unsent.begun()
            rounds = outage.rounds
            try:
                standings = await self._budgets.hold_in_redis(hold, budgets)
            except StoreAway:
                self._unsent.settled(hold, NOTHING)  # Redis may have heard of it all the same
                outage.lost()
            else:
                if outage.rounds == rounds:
                    self._budgets.check(budgets, standings, hold.amount)
                    return hold
                self._unsent.settled(hold, NOTHING)  # it came after this process had declared what it holds
            hold = self._budgets.hold_of(budgets, hold.amount)

    def left(self, budget: Budget, counter: Counter) -> Decimal | None:
        """What this process may still spend of a budget while Redis is away; None while Redis counts."""
        if self.outage.mode != "sharing":
            return None
        if counter.epoch != self.outage.epoch:
            counter.epoch, counter.used = self.outage.epoch, NOTHING
            fresh = max(budget.limit_usd - counter.spent - counter.held, NOTHING) / self.outage.processes
            counter.share = self.outage.shares.get(counter.key, fresh)  # a new period or budget was not declared
        return counter.share - counter.used

    def settled(self, hold: Hold, cost: Decimal) -> None:
        """Take what a hold came to of the shares. What was held before the outage is not of them, but what exceeds it is."""
        for counter in hold.counters:
            own = hold.epoch and hold.epoch == counter.epoch
            counter.used += cost - hold.amount if own else max(cost - hold.amount, NOTHING)

    def _take(self, hold: Hold, budgets: Sequence[Budget]) -> None:
        for budget, counter in zip(budgets, hold.counters, strict=True):
            left = self.left(budget, counter) or NOTHING
            if hold.amount > left:
                standing = self._budgets.standing(budget)
                raise share_refusal(standing, hold.amount, max(left, NOTHING), self.outage.processes)
        for counter in hold.counters:
            counter.used += hold.amount

    def _limits(self) -> dict[str, Decimal]:
        return {self._budgets.counter(budget).key: budget.limit_usd for budget in self._budgets.every}

    def _positions(self) -> dict[str, Position]:
        """Where this process stands with the counters that anything has been spent or held in."""
        counters = map(self._budgets.counter, self._budgets.every)
        return {
            each.key: Position(told=each.told, confirmed=each.confirmed, unsent=each.unsent, held=each.held)
            for each in counters
            if each.spent or each.held or each.told
        }

    def _pause(self, paused: bool) -> None:
        self._shared.paused = paused

    async def _tell(self, adopt: bool) -> bool:
        """Tell Redis everything that it has not heard, or has lost; whether it has heard it."""
        self._shared.paused = False
        if adopt:
            self._shared.adopt()
        counters = [self._budgets.counter(budget) for budget in self._budgets.every]
        for counter in counters:
            counter.seed = self.outage.told.get(counter.key)
        if len(await self._budgets.look()) < len(counters) or not await self._unsent.tell():
            self._shared.paused = True
            return False
        for counter in counters:
            counter.seed = None
        return True
