"""Budgets: money is held before a call from an upper estimate, and counted after it, for everybody alike."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from sqlmodel import Session

from shared.domain.budgets import (
    AUTO_SUBJECT,
    PERIODS,
    Budget,
    BudgetStanding,
    NewBudget,
    Period,
    Subject,
    WithoutRedis,
)
from shared.domain.identity import Caller
from shared.errors import BudgetExceeded, Unavailable, invalid_field
from shared.storage import budget_rows
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore, StoreAway
from shared.usage import recount
from shared.usage.alerts import Alerts
from shared.usage.bound import Bound, Reservation
from shared.usage.budget_alerts import warn
from shared.usage.changing import check_only, check_own, unknown
from shared.usage.counter import NOTHING, Counter
from shared.usage.periods import span_of
from shared.usage.recount import Count
from shared.usage.refusal import refusal
from shared.usage.shared_counters import SharedCounters, Standing
from shared.usage.sharing import Sharing
from shared.usage.unsent import Hold, Unsent

HOLD_SECONDS = 3900.0
"""A little longer than the longest request; then the money of a process that was killed is free again."""

RECOUNT = timedelta(seconds=5)
SMALLEST = Decimal("1e-9")
FULL_RECOUNT = timedelta(minutes=10)
"""Only new rows are read in between; a row that was committed after one with a higher id is found by the full look."""

RECOUNT_SECONDS = 300
"""Right after an upgrade all rows of a month may have to be summed up."""

LOOKED_AT = 100
LOOK_AGAIN = 0.25


class Budgets:
    """All budgets, held in memory with what they have spent, so that a request costs no query.

    With Redis the counters are exact over all processes. Without one, each process counts for itself, exactly, and adds
    what the others have written into the usage table, a few seconds late. While Redis is away, `without_redis` says
    whether the processes agree on shares (`share`), refuse what costs money (`refuse`) or count as without one
    (`allow`). `limits` are the settings' own, for everybody, a day, a month and in total.
    """

    def __init__(
        self,
        database: Database,
        redis: RedisStore | None,
        clock: Callable[[], datetime],
        *,
        alerts: Alerts | None = None,
        limits: Sequence[Decimal | None] = (),
        hold_seconds: float = HOLD_SECONDS,
        without_redis: WithoutRedis = "allow",
    ) -> None:
        self._database = database
        self._clock = clock
        self._alerts = alerts
        self._fixed = [
            Budget(id=f"settings-{period}", source="settings", period=period, limit_usd=limit, created_at=clock())
            for period, limit in zip(PERIODS, limits, strict=False)
            if limit is not None
        ]
        self._auto = Budget(
            id="settings-auto",
            source="settings",
            applies_to="auto",
            period="day",
            limit_usd=NOTHING,
            created_at=clock(),
        )
        self._shared = None if redis is None else SharedCounters(redis, hold_seconds)
        self._unsent = None if self._shared is None else Unsent(self._shared)
        self.sharing: Sharing | None = None
        if self._shared is not None and self._unsent is not None and without_redis != "allow":
            self.sharing = Sharing(self, self._shared, self._unsent, database, clock, without_redis)
        self._lock = asyncio.Lock()
        self._freed = asyncio.Event()
        self._versions: budget_rows.Versions = (-1, -1)
        self._stored: budget_rows.Known = {}
        self._budgets: dict[str, Budget] = {}
        self._by_subject: dict[Subject, list[Budget]] = {}
        self._counters: dict[str, Counter] = {}
        self._counted = self._counted_fully = datetime.min.replace(tzinfo=clock().tzinfo)
        self._ids = (f"{secrets.token_hex(8)}-{number}" for number in itertools.count())

    async def refresh(self) -> None:
        """Take over others' changes, and every few seconds what they spent. Raises Unavailable."""
        await self.take_over()
        await self.keep_count()

    async def take_over(self) -> None:
        """Take over others' changes of budgets. Raises Unavailable."""
        seen = await self._database.read(budget_rows.seen)
        if self.sharing is not None and seen.apart:
            self.sharing.outage.lost()
        if seen.of_rows != self._versions:
            await self._counted_anew(full=True)

    async def keep_count(self) -> None:
        """Every few seconds take over what others spent, and tell Redis what it has missed. Raises Unavailable."""
        if self._unsent is not None:
            await self._unsent.catch_up()
        if self._budgets and self._clock() - self._counted >= RECOUNT:
            await self._counted_anew(full=self._clock() - self._counted_fully >= FULL_RECOUNT)

    async def _counted_anew(self, *, full: bool) -> None:
        async with self._lock:
            await self._recount(full=full)
        await self.look()

    def limit_auto(self, limit: Decimal) -> None:
        """Set what `auto` may spend a day in paid layers; what was spent still counts."""
        self._auto = self._auto.model_copy(update={"limit_usd": limit})
        if self._auto.id in self._budgets:
            self._budgets[self._auto.id] = self._auto

    @property
    def auto(self) -> BudgetStanding:
        """The budget of `auto` for paid layers and how it stands, as far as this process knows."""
        return self.standing(self._auto)

    @property
    def known(self) -> Sequence[BudgetStanding]:
        """Every budget and how it stands, as far as this process knows, the one with the least left in proportion first."""
        budgets = [budget for budget in self._budgets.values() if budget.limit_usd or budget is not self._auto]
        standings = [self.standing(budget) for budget in budgets]
        return sorted(standings, key=lambda one: (one.left_usd / one.limit_usd if one.limit_usd else 0, one.id))

    def bound(self, caller: Caller, tags: Mapping[str, str], *, auto: bool = False) -> Bound | None:
        """Everything that binds a request, with `auto` the budget of `auto` for paid layers too; None when nothing does."""
        own = self._own_of(caller)
        if not self._by_subject and own is None and not auto:
            return None
        subjects: Iterator[Subject] = itertools.chain(
            (("all",), ("key", caller.id)), (("tag", name, value) for name, value in tags.items())
        )
        found = [budget for subject in subjects for budget in self._by_subject.get(subject, ())]
        found += [] if own is None else [own]
        found += [self._auto] if auto else []
        return Bound(self, found) if found else None

    def _own_of(self, caller: Caller) -> Budget | None:
        """The budget of an API key that is known already, while the budgets were read before it was made."""
        if caller.budget_usd is None or caller.budget_period is None or caller.id in self._budgets:
            return None
        return budget_rows.of_key(caller.id, caller.budget_usd, caller.budget_period, self._clock())

    async def list(self) -> list[BudgetStanding]:
        """Every budget and how it stands, oldest first, those of the settings before all. Raises Unavailable."""
        async with self._lock:
            await self._recount(full=False)
        held = await self.look()
        shown = (budget for budget in self._budgets.values() if budget.limit_usd or budget is not self._auto)
        return [self.standing(budget, held.get(budget.id)) for budget in shown]

    async def add(self, new: NewBudget) -> BudgetStanding:
        """A new budget, in force with what its period has seen already. Raises InvalidInput, Conflict when there is one
        for the same and the same period, Unavailable.
        """
        budget = Budget(**dict(new), id=f"budget-{secrets.token_hex(8)}", created_at=self._clock())
        if budget.subject == AUTO_SUBJECT:
            raise invalid_field("appliesTo", "the budget of `auto` is the setting AUTO_BUDGET_USD_PER_DAY")

        def work(session: Session) -> None:
            if budget.key_id is not None and not budget_rows.has_key(session, budget.key_id):
                raise invalid_field("keyId", "there is no such API key; GET /v1/keys lists them")
            check_only(session, budget, self._stored)
            budget_rows.put(session, budget)

        await self._change(work)
        return self.standing(budget)

    async def update(
        self, budget_id: str, *, limit: Decimal | None = None, period: Period | None = None
    ) -> BudgetStanding:
        """Change a stored budget. Raises NotFound, Conflict, Unavailable."""
        check_own(budget_id, self._budgets.get(budget_id))

        def work(session: Session) -> None:
            budget = budget_rows.get(session, budget_id)
            if budget is None:
                raise unknown(budget_id)
            given = {"limit_usd": limit, "period": period}
            changed = budget.model_copy(update={name: value for name, value in given.items() if value is not None})
            if changed.period != budget.period:
                check_only(session, changed, self._stored)
            budget_rows.put(session, changed)

        await self._change(work)
        budget = self._budgets.get(budget_id)
        if budget is None:
            raise unknown(budget_id)
        return self.standing(budget)

    async def delete(self, budget_id: str) -> None:
        """The budget no longer binds anybody. Raises NotFound, Conflict, Unavailable."""
        check_own(budget_id, self._budgets.get(budget_id))

        def work(session: Session) -> None:
            if not budget_rows.delete(session, budget_id):
                raise unknown(budget_id)

        await self._change(work)

    async def join(self) -> None:
        """Be one of the processes that share the budgets out while Redis is away. Raises Unavailable."""
        if self.sharing is not None:
            await self.sharing.outage.join()

    async def aclose(self) -> None:
        """Tell Redis what it has not heard yet, if it is there."""
        if self._unsent is not None:
            await self._unsent.drained()
        if self.sharing is not None:
            with suppress(Unavailable):  # the others find out by themselves
                await self.sharing.outage.leave()

    def counter(self, budget: Budget) -> Counter:
        """The budget's counter for the period that is now; a new period begins with nothing."""
        now = self._clock()
        counter = self._counters.get(budget.id)
        if counter is None or not counter.span.holds(budget.period, now):
            counter = self._counters[budget.id] = Counter(budget.id, span_of(budget.period, now), now)
        return counter

    async def reserve(self, budgets: Sequence[Budget], amount: Decimal) -> Reservation:
        """Hold an amount, in whole 10^-9 dollars, in all these budgets or in none. Raises BudgetExceeded."""
        hold = self.hold_of(budgets, amount.quantize(SMALLEST, ROUND_CEILING))
        if hold.amount > 0:
            self.check(budgets, hold.counters, hold.amount)
            if self.sharing is not None:
                hold = await self.sharing.hold(hold, budgets)
            elif self._unsent is not None:
                await self._unsent.begun()
                await self._hold_there(hold, budgets)
            if self._unsent is not None:
                self._unsent.opened(hold)
            for counter in hold.counters:
                counter.held += hold.amount
        return Reservation(self, hold)

    def hold_of(self, budgets: Sequence[Budget], amount: Decimal) -> Hold:
        """A new hold, which nobody knows of yet."""
        return Hold(next(self._ids), amount, [self.counter(budget) for budget in budgets])

    def left(self, budget: Budget) -> Decimal:
        """US dollars of a budget that may still be held, as far as this process knows."""
        counter = self.counter(budget)
        left = budget.limit_usd - counter.spent - counter.held
        share = None if self.sharing is None else self.sharing.left(budget, counter)
        return left if share is None else min(left, share)

    @property
    def every(self) -> Collection[Budget]:
        """All budgets."""
        return self._budgets.values()

    async def freed(self, seconds: float) -> None:
        """Wait until a request releases money that it held, or until the time limit in seconds.

        Releases by other processes are not seen, so with Redis the wait is short.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if self._shared is None else min(seconds, LOOK_AGAIN)):
                await self._freed.wait()

    def settle(self, hold: Hold, cost: Decimal) -> None:
        """Let go of what is held, and count what it came to. Never waits."""
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()
        for counter in hold.counters:
            counter.held -= hold.amount
        if self.sharing is not None:
            self.sharing.settled(hold, cost)
        if self._unsent is not None:
            self._unsent.settled(hold, cost)
        else:
            for counter in hold.counters:
                counter.confirmed += cost
        if self._alerts is not None:
            for counter in hold.counters:
                warn(self._alerts, self._budgets.get(counter.budget_id), counter, self._clock())

    async def _hold_there(self, hold: Hold, budgets: Sequence[Budget]) -> None:
        """Hold it in Redis too, where every process counts; while that is away this process alone decides."""
        try:
            standings = await self.hold_in_redis(hold, budgets)
        except StoreAway:
            try:
                self.check(budgets, hold.counters, hold.amount)  # others may have come in between
            except BudgetExceeded:
                self._let_go(hold)
                raise
            return
        self.check(budgets, standings, hold.amount)

    async def hold_in_redis(self, hold: Hold, budgets: Sequence[Budget]) -> Sequence[Standing]:
        """Hold it there if each has it left; how they stand. Raises StoreAway."""
        if self._shared is None:
            raise StoreAway
        try:
            return await self._shared.reserve(hold.id, hold.amount, hold.counters, [each.limit_usd for each in budgets])
        except asyncio.CancelledError:
            self._let_go(hold)
            raise

    def _let_go(self, hold: Hold) -> None:
        """Nobody will settle it, and Redis may have heard of it even when its answer did not come."""
        if self._unsent is not None:
            self._unsent.settled(hold, NOTHING)

    def check(self, budgets: Sequence[Budget], standings: "Sequence[Counter | Standing]", amount: Decimal) -> None:
        """Raises BudgetExceeded for the first budget that has less left."""
        for budget, standing in zip(budgets, standings, strict=True):
            if standing.spent + standing.held + amount > budget.limit_usd:
                raise refusal(self.standing(budget, standing.held), amount, self._clock())

    async def look(self) -> dict[str, Decimal]:
        """Take over what Redis knows; returns what is held of each budget by all processes, where it can be told."""
        budgets = [*self._budgets.values()]
        held: dict[str, Decimal] = {}
        if self._shared is None:
            return held
        for start in range(0, len(budgets), LOOKED_AT):
            counters = [self.counter(budget) for budget in budgets[start : start + LOOKED_AT]]
            try:
                standings = await self._shared.look(counters)
            except StoreAway:
                break
            for counter, standing in zip(counters, standings, strict=True):
                held[counter.budget_id] = standing.held
        return held

    def standing(self, budget: Budget, held: Decimal | None = None) -> BudgetStanding:
        """How a budget stands, as far as this process knows, or with what is `held` by all."""
        counter = self.counter(budget)
        held = counter.held if held is None else held
        return BudgetStanding(
            **dict(budget),
            spent_usd=counter.spent,
            reserved_usd=held,
            left_usd=max(budget.limit_usd - counter.spent - held, NOTHING),
            resets_at=counter.span.end,
        )

    async def _recount(self, *, full: bool) -> None:
        now, known = self._clock(), {} if full else dict(self._counters)
        fixed = [*self._fixed, self._auto]
        count = await self._database.read(
            lambda session: recount.read(session, fixed, known, now, stored=self._stored), seconds=RECOUNT_SECONDS
        )
        self._take(count, now)
        self._counted_fully = now if full else self._counted_fully

    async def _change(self, work: Callable[[Session], None]) -> None:
        """Change budgets, then count them: the sums are not read while other writers wait."""

        def changed(session: Session) -> None:
            budget_rows.next_version(session)
            work(session)

        async with self._lock:
            await self._database.run(changed)
            await self._recount(full=True)

    def _take(self, count: Count, now: datetime) -> None:
        """Put what was read into force, counters and budgets together."""
        self._counted, self._versions, self._stored = now, count.versions, count.stored
        self._budgets = {budget.id: budget for budget in count.budgets} | {self._auto.id: self._auto}
        self._by_subject = {}
        for budget in count.budgets:
            if budget.subject != AUTO_SUBJECT:  # that one binds by the request's plan, not by its tags
                self._by_subject.setdefault(budget.subject, []).append(budget)
        counters, self._counters = self._counters, {}
        for budget, recorded in zip(count.budgets, count.recorded, strict=True):
            self._counters[budget.id] = counters.get(budget.id) or Counter(budget.id, recorded.span, now)
            counter = self.counter(budget)
            if counter.span == recorded.span:  # it may have ended while it was being read
                counter.record(recorded.spent, count.row)
