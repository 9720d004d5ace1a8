"""Budgets: the same promises counted in memory and in a real Valkey, on SQLite and PostgreSQL."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shared.domain.budgets import Budget, NewBudget
from shared.domain.identity import LOCAL, SCOPES, Caller
from shared.errors import BudgetExceeded, Conflict, InvalidInput, NotFound, Unavailable
from shared.security.api_keys import ApiKeys
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore, Script
from shared.usage.bound import Bound, Reservation
from shared.usage.budgets import Budgets
from shared.usage.ledger import Entry, Ledger
from tests.support.clock import Clock
from tests.support.databases import away
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
CENT = Decimal("0.01")
ZERO = Decimal(0)


def budget(limit: Any, **more: Any) -> NewBudget:
    return NewBudget(limit_usd=Decimal(str(limit)), **more)


def tagged(limit: Any, name: str, value: str) -> NewBudget:
    return NewBudget.model_validate({"limitUsd": limit, "appliesTo": "tag", "tag": {"name": name, "value": value}})


def caller(name: str) -> Caller:
    return Caller(id=name, kind="key", name=name, scopes=SCOPES)


def binding(budgets: Budgets, who: Caller = LOCAL, **tags: str) -> Bound:
    found = budgets.bound(who, tags)
    assert found is not None
    return found


class Bench:
    """Processes of one gateway; with Redis they share one server."""

    def __init__(self, database: Database, clock: Clock, server: RedisServer | None, stack: AsyncExitStack) -> None:
        self.database = database
        self.clock = clock
        self.server = server
        self.stores: list[RedisStore] = []
        self.timeout = 5.0
        self._stack = stack

    async def process(self, **more: Any) -> Budgets:
        store = None if self.server is None else RedisStore(self.server.url, timeout=self.timeout)
        if store is not None:
            self.stores.append(store)
            self._stack.push_async_callback(store.aclose)
        budgets = Budgets(self.database, store, self.clock, **more)
        self._stack.push_async_callback(budgets.aclose)
        await budgets.refresh()
        return budgets

    async def spent(self, cost: Any, who: str = "local", **tags: str) -> None:
        """A row in the usage table, as if another process had written it."""
        ledger = Ledger(self.database, self.clock)
        ledger.record(
            Entry(
                at=self.clock(),
                request_id="r",
                caller=who,
                model_id="m",
                provider="p",
                layer="L1",
                prompt_tokens=1,
                completion_tokens=1,
                cached_tokens=0,
                cost=None if cost is None else Decimal(str(cost)),
                outcome="ok",
                estimated=False,
                duration_ms=1,
                tags=tags,
            )
        )
        await ledger.flush()


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture(params=["memory", "redis"])
async def bench(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Bench]:
    server = request.getfixturevalue("lasting_server") if request.param == "redis" else None
    if server is not None:
        store = RedisStore(server.url, timeout=5)
        await store.run(Script.of("return redis.call('FLUSHALL')"), [], [])
        await store.aclose()
    async with AsyncExitStack() as stack:
        yield Bench(database, Clock(), server, stack)


@pytest.fixture
async def redis_bench(database: Database, redis_server: RedisServer) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(database, Clock(), redis_server, stack)


async def standing(budgets: Budgets, made: Budget | None = None) -> tuple[Decimal, Decimal, Decimal]:
    (found,) = [found for found in await budgets.list() if made is None or found.id == made.id]
    return found.spent_usd, found.reserved_usd, found.left_usd


def sent(budgets: Budgets) -> bool:
    return budgets._unsent is None or not budgets._unsent._waiting


async def refused(work: Any) -> BudgetExceeded:
    with pytest.raises(BudgetExceeded) as error:
        await work
    return error.value


async def test_without_a_budget_nothing_binds(bench: Bench) -> None:
    assert (await bench.process()).bound(LOCAL, {"team": "a"}) is None


async def test_money_is_held_and_then_counted(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget("0.10"))
    bound = binding(budgets)
    assert bound.left == Decimal("0.10")
    held = await bound.reserve(Decimal("0.07"))
    assert bound.left == Decimal("0.03")
    assert await standing(budgets) == (ZERO, Decimal("0.07"), Decimal("0.03"))
    await refused(bound.reserve(Decimal("0.031")))
    held.settle(Decimal("0.02"))
    assert bound.left == Decimal("0.08")
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (Decimal("0.02"), ZERO, Decimal("0.08"))


async def test_two_hundred_at_once_never_overspend_a_cent(bench: Bench) -> None:
    processes = [await bench.process()] if bench.server is None else [await bench.process() for _ in range(3)]
    await processes[0].add(budget(CENT, period="day"))
    for process in processes:
        await process.refresh()
    most, cost = Decimal("0.0003"), Decimal("0.00025")
    open_now = highest = 0
    paid = []

    async def request(number: int) -> None:
        nonlocal open_now, highest
        try:
            held = await binding(processes[number % len(processes)]).reserve(most)
        except BudgetExceeded:
            return
        open_now += 1
        highest = max(highest, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        held.settle(cost)
        paid.append(cost)

    await asyncio.gather(*(request(number) for number in range(200)))
    assert highest * most <= CENT
    assert len(paid) >= CENT // most
    assert sum(paid) <= CENT
    for process in processes:
        await until(lambda process=process: sent(process))  # type: ignore[misc]
        assert (await standing(process))[:2] == (sum(paid), ZERO)


async def test_what_is_settled_at_its_upper_bound_fills_the_budget_exactly(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(CENT))
    outcomes = await asyncio.gather(
        *(binding(budgets).reserve(Decimal("0.0001")) for _ in range(200)), return_exceptions=True
    )
    held = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
    assert len(held) == 100
    assert {type(outcome) for outcome in outcomes} == {Reservation, BudgetExceeded}
    for reservation in held:
        reservation.settle(None)
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (CENT, ZERO, ZERO)


async def test_nobody_is_exempt(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(0))
    admin = Caller(id="u", kind="user", name="root", role="admin", scopes=SCOPES)
    for who in (LOCAL, admin, caller("key-1")):
        bound = binding(budgets, who)
        assert bound.left == 0
        await refused(bound.reserve(Decimal("0.000000000001")))


async def test_what_is_free_passes_an_empty_budget_and_what_it_costs_after_all_counts(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(0))
    held = await binding(budgets).reserve(ZERO)
    held.settle(CENT)
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (CENT, ZERO, ZERO)
    (await binding(budgets).reserve(ZERO)).settle(ZERO)


async def test_all_budgets_that_apply_hold_it_or_none(bench: Bench) -> None:
    budgets = await bench.process()
    key, _ = await ApiKeys(bench.database, bench.clock).create("laptop", ["chat"])
    made = [
        await budgets.add(new)
        for new in (budget(1), budget("0.5", applies_to="key", key_id=key.id), tagged("0.2", "team", "a"))
    ]
    everything = binding(budgets, caller(key.id), team="a")
    assert everything.left == Decimal("0.2")
    error = await refused(everything.reserve(Decimal("0.3")))
    assert "team=a" in error.message
    assert [(await standing(budgets, each))[1] for each in made] == [ZERO, ZERO, ZERO]
    held = await everything.reserve(Decimal("0.15"))
    assert [(await standing(budgets, each))[1] for each in made] == [Decimal("0.15")] * 3
    assert binding(budgets, caller(key.id), team="b").left == Decimal("0.35")
    assert binding(budgets, caller("other")).left == Decimal("0.85")
    held.settle(CENT)
    await until(lambda: sent(budgets))
    assert [(await standing(budgets, each))[0] for each in made] == [CENT] * 3


async def test_a_refusal_names_the_budget_what_is_spent_and_when_it_resets(bench: Bench) -> None:
    budgets = await bench.process()
    made = await budgets.add(budget("0.5", period="day"))
    (await binding(budgets).reserve(Decimal("0.4"))).settle(Decimal("0.45"))
    error = await refused(binding(budgets).reserve(Decimal("0.1")))
    assert made.id in error.message
    assert "$0.50" in error.message
    assert "$0.05" in error.message
    assert error.code == "budget_exceeded"
    assert error.retry_after == 18 * 3600
    assert isinstance(error.details, dict)
    assert error.details["neededUsd"] == 0.1
    assert error.details["budget"]["spentUsd"] == 0.45
    assert error.details["budget"]["resetsAt"] == "2026-11-25T00:00:00.000Z"


async def test_a_refusal_says_what_to_do_instead(bench: Bench) -> None:
    budgets = await bench.process()
    made = await budgets.add(budget(CENT, period="total"))
    advice = "ask for fewer max_tokens, or a free model (name layer L0)"
    assert f"it does not reset; {advice}." in (await refused(binding(budgets).reserve(Decimal(1)))).message
    await budgets.update(made.id, period="day")
    assert f"UTC; until then {advice}." in (await refused(binding(budgets).reserve(Decimal(1)))).message


async def test_there_is_one_budget_for_the_same_and_the_same_period(bench: Bench) -> None:
    budgets = await bench.process()
    month, day = await budgets.add(budget(1)), await budgets.add(budget(1, period="day"))
    team = await budgets.add(tagged(1, "team", "a"))
    await budgets.add(tagged(1, "team", "b"))
    for again, there in ((budget(2), month), (tagged(2, "team", "a"), team)):
        with pytest.raises(Conflict, match=f"PUT /v1/budgets/{there.id}") as error:
            await budgets.add(again)
        assert (error.value.code, error.value.details) == ("budget_exists", {"budgetId": there.id})
    with pytest.raises(Conflict, match=month.id):
        await budgets.update(day.id, period="month")
    assert (await budgets.update(month.id, limit=Decimal(2), period="month")).limit_usd == 2
    await budgets.delete(month.id)
    await budgets.update(day.id, period="month")
    assert len(await budgets.list()) == 3


async def test_two_who_make_the_same_budget_at_once_make_one(bench: Bench) -> None:
    processes = [await bench.process(), await bench.process()]
    outcomes = await asyncio.gather(*(process.add(budget(1)) for process in processes), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BudgetStanding", "Conflict"]


async def test_a_key_is_bound_by_its_budget_from_the_moment_it_is_known(bench: Bench) -> None:
    here, there = await bench.process(), await bench.process()
    keys, other_keys = ApiKeys(bench.database, bench.clock), ApiKeys(bench.database, bench.clock)
    key, secret = await keys.create("k", ["chat"], budget_usd=CENT, budget_period="day")
    _, free_secret = await keys.create("free", ["chat"])
    await here.refresh()
    await other_keys.refresh()
    who = other_keys.authenticate(secret)
    assert there.bound(other_keys.authenticate(free_secret), {}) is None
    held = await binding(there, who).reserve(CENT)
    assert key.id in (await refused(binding(there, who).reserve(CENT))).message
    held.settle(CENT)
    await there.refresh()
    await until(lambda: sent(there))
    assert await standing(there) == (CENT, ZERO, ZERO), "what was spent before the budgets were read counts"
    assert len(binding(there, who).standings) == 1


async def test_tags_that_the_database_cannot_read_hold_nothing_up(bench: Bench) -> None:
    budgets = await bench.process()
    made = await budgets.add(tagged(1, "team", "a"))
    await bench.spent("0.25", team="a", nul="x\x00y")
    await bench.spent("0.5", team="a")
    assert (await standing(budgets, made))[0] == Decimal("0.75")
    bench.clock.advance(minutes=11)
    await budgets.refresh()
    assert (await standing(budgets, made))[0] == Decimal("0.75")


async def test_what_only_others_hold_may_soon_be_free(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(1))
    held = await binding(budgets).reserve(Decimal(1))
    error = await refused(binding(budgets).reserve(Decimal(1)))
    assert error.retry_after == 1
    held.settle(ZERO)
    await binding(budgets).reserve(Decimal(1))


async def test_a_total_never_resets(bench: Bench) -> None:
    budgets = await bench.process()
    await bench.spent("0.5")
    bench.clock.advance(days=800)
    made = await budgets.add(budget("0.5", period="total"))
    assert (made.spent_usd, made.resets_at) == (Decimal("0.5"), None)
    assert (await refused(binding(budgets).reserve(CENT))).retry_after is None


@pytest.mark.parametrize(("period", "days"), [("day", 1), ("month", 7)])
async def test_a_new_period_begins_with_nothing(bench: Bench, period: Any, days: int) -> None:
    budgets = await bench.process()
    await budgets.add(budget(CENT, period=period))
    late = await binding(budgets).reserve(CENT)
    bench.clock.advance(days=days - 1, hours=17, minutes=59, seconds=59)
    await refused(binding(budgets).reserve(CENT))
    bench.clock.advance(seconds=1)
    bound = binding(budgets)
    assert bound.left == CENT
    held = await bound.reserve(CENT)
    late.settle(CENT)  # it belongs to the period in which it began
    assert await standing(budgets) == (ZERO, CENT, ZERO)
    held.settle(ZERO)
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (ZERO, ZERO, CENT)


async def test_only_the_first_settling_counts(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(1))
    held = await binding(budgets).reserve(Decimal("0.5"))
    for cost in (Decimal("0.1"), Decimal("0.2"), None):
        held.settle(cost)
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (Decimal("0.1"), ZERO, Decimal("0.9"))


async def test_more_than_was_held_is_counted_in_full(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(CENT))
    (await binding(budgets).reserve(CENT)).settle(Decimal(1))
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (Decimal(1), ZERO, ZERO)


async def test_settling_works_while_the_task_is_being_cancelled(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(1))
    began = asyncio.Event()

    async def request() -> None:
        held = await binding(budgets).reserve(CENT)
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            held.settle(None)

    task = asyncio.create_task(request())
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (CENT, ZERO, Decimal("0.99"))


async def test_who_is_cancelled_while_it_reserves_holds_nothing(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(1))
    for steps in range(8):
        task = asyncio.ensure_future(binding(budgets).reserve(CENT))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result().settle(ZERO)
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (ZERO, ZERO, Decimal(1))


async def test_a_restart_goes_on_counting(bench: Bench) -> None:
    first = await bench.process()
    await first.add(budget(1))
    made = await first.add(tagged(1, "team", "a"))
    await bench.spent("0.25", team="a")
    await bench.spent("0.25", team="b")
    await bench.spent(None, team="a")
    if bench.server is not None:
        bench.server.kill()
        bench.server.start()
    again = await bench.process()
    assert binding(again).left == Decimal("0.5")
    assert binding(again, team="a").left == Decimal("0.5")
    assert (await standing(again, made))[0] == Decimal("0.25")
    await refused(binding(again).reserve(Decimal("0.6")))


async def test_what_other_processes_wrote_counts_with_the_next_look(bench: Bench) -> None:
    budgets = await bench.process()
    key, _ = await ApiKeys(bench.database, bench.clock).create("laptop", ["chat"])
    await budgets.add(budget(1))
    await budgets.add(budget(1, applies_to="key", key_id=key.id))
    await bench.spent("0.25", who=key.id)
    await budgets.refresh()
    assert binding(budgets, caller(key.id)).left == 1
    for total in ("0.25", "0.5", "0.75"):
        bench.clock.advance(seconds=5)
        await budgets.refresh()
        assert binding(budgets, caller(key.id)).left == 1 - Decimal(total)
        await bench.spent("0.25", who=key.id)
    bench.clock.advance(minutes=5)
    await budgets.refresh()
    assert binding(budgets).left == 0


async def test_what_this_process_spent_itself_counts_once(bench: Bench) -> None:
    budgets = await bench.process()
    await budgets.add(budget(1))
    for _ in range(3):
        (await binding(budgets).reserve(CENT)).settle(CENT)
        await bench.spent(CENT)
        bench.clock.advance(seconds=30)
        await budgets.refresh()
    await until(lambda: sent(budgets))
    assert await standing(budgets) == (3 * CENT, ZERO, Decimal("0.97"))


async def test_a_budget_made_late_knows_what_was_spent_before(bench: Bench) -> None:
    await bench.spent(7)
    bench.clock.advance(days=1)
    await bench.spent(3)
    budgets = await bench.process()
    assert (await budgets.add(budget(5, period="day"))).left_usd == 2
    assert (await budgets.add(budget(20, period="month"))).left_usd == 10


async def test_a_change_counts_at_once_here_and_elsewhere_with_the_next_refresh(bench: Bench) -> None:
    here, there = await bench.process(), await bench.process()
    made = await here.add(budget(1))
    assert there.bound(LOCAL, {}) is None
    await there.refresh()
    assert binding(there).left == 1
    changed = await there.update(made.id, limit=Decimal(2), period="day")
    assert (changed.limit_usd, changed.period, changed.created_at) == (2, "day", made.created_at)
    await here.refresh()
    assert binding(here).left == 2
    await here.delete(made.id)
    assert here.bound(LOCAL, {}) is None
    await there.refresh()
    assert there.bound(LOCAL, {}) is None


async def test_a_smaller_limit_keeps_what_was_spent(bench: Bench) -> None:
    budgets = await bench.process()
    made = await budgets.add(budget(1))
    (await binding(budgets).reserve(CENT)).settle(CENT)
    assert (await budgets.update(made.id, limit=CENT)).left_usd == 0
    await refused(binding(budgets).reserve(CENT))


async def test_budgets_that_are_not_there_or_not_ours_cannot_be_changed(bench: Bench) -> None:
    budgets = await bench.process(limits=[CENT, None])
    key, _ = await ApiKeys(bench.database, bench.clock).create("laptop", ["chat"], budget_usd=CENT)
    await budgets.refresh()
    for name in ("settings-day", key.id):
        with pytest.raises(Conflict):
            await budgets.update(name, limit=Decimal(1))
        with pytest.raises(Conflict):
            await budgets.delete(name)
    with pytest.raises(NotFound):
        await budgets.update("budget-none", limit=Decimal(1))
    with pytest.raises(NotFound):
        await budgets.delete("budget-none")
    with pytest.raises(InvalidInput, match="keyId"):
        await budgets.add(budget(1, applies_to="key", key_id="key-none"))
    assert [found.id for found in await budgets.list()] == ["settings-day", key.id]


async def test_a_key_brings_its_own_budget_and_takes_all_of_its_budgets_along(bench: Bench) -> None:
    budgets, keys = await bench.process(), ApiKeys(bench.database, bench.clock)
    key, _ = await keys.create("laptop", ["chat"], budget_usd=CENT, budget_period="total")
    await budgets.refresh()
    assert binding(budgets, caller(key.id)).left == CENT
    assert budgets.bound(caller("key-other"), {}) is None
    await budgets.add(budget("0.005", applies_to="key", key_id=key.id))
    assert binding(budgets, caller(key.id)).left == Decimal("0.005")
    await keys.delete(key.id)
    await budgets.refresh()
    assert await budgets.list() == []


async def test_a_budget_that_cannot_be_stored_does_not_count(bench: Bench) -> None:
    budgets = await bench.process()
    with away(bench.database):
        with pytest.raises(Unavailable):
            await budgets.add(budget(1))
        assert budgets.bound(LOCAL, {}) is None
    made = await budgets.add(budget(1))
    with away(bench.database):
        for work in (budgets.delete(made.id), budgets.update(made.id, limit=CENT), budgets.list()):
            with pytest.raises(Unavailable):
                await work
        held = await binding(budgets).reserve(CENT)
        held.settle(CENT)
        assert binding(budgets).left == Decimal("0.99")


async def redis_is_back(bench: Bench, *processes: Budgets) -> None:
    """What `RedisStore.watch` and the upkeep do."""
    for store in bench.stores:
        assert await store.ping()
    for process in processes:
        await process.refresh()
        await until(lambda process=process: sent(process))  # type: ignore[misc]


async def test_processes_share_what_is_held_and_what_is_spent(redis_bench: Bench) -> None:
    here, there = await redis_bench.process(), await redis_bench.process()
    await here.add(budget(1))
    await there.refresh()
    held = await binding(here).reserve(Decimal("0.9"))
    error = await refused(binding(there).reserve(Decimal("0.2")))
    assert "held by requests under way" in error.message
    assert await standing(there) == (ZERO, Decimal("0.9"), Decimal("0.1"))
    held.settle(Decimal("0.3"))
    await until(lambda: sent(here))
    (await binding(there).reserve(Decimal("0.7"))).settle(Decimal("0.7"))
    await until(lambda: sent(there))
    await refused(binding(here).reserve(CENT))
    assert binding(here).left == 0


async def test_a_request_may_reserve_again_right_after_it_settled(redis_bench: Bench) -> None:
    budgets = await redis_bench.process()
    await budgets.add(budget(1))
    for _ in range(20):
        (await binding(budgets).reserve(Decimal(1))).settle(ZERO)
    (await binding(budgets).reserve(Decimal("0.5"))).settle(Decimal("0.8"))
    await refused(binding(budgets).reserve(Decimal("0.3")))


async def test_what_a_killed_process_held_is_free_again_after_a_while(redis_bench: Bench) -> None:
    budgets = await redis_bench.process()
    await budgets.add(budget(1))
    assert redis_bench.server is not None
    url = redis_bench.database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, url, redis_bench.server.url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"held\n"
    process.kill()
    await process.wait()
    await refused(binding(budgets).reserve(CENT))

    async def free() -> None:
        while True:
            with suppress(BudgetExceeded):
                await binding(budgets).reserve(Decimal(1))
                return

    await asyncio.wait_for(free(), 10)
    assert await standing(budgets) == (ZERO, Decimal(1), ZERO)


HOLDER = """
import asyncio, sys
from decimal import Decimal
from shared.domain.identity import LOCAL
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore
from shared.usage.budgets import Budgets
from tests.support.clock import Clock

async def main():
    async with Database(sys.argv[1]) as database:
        budgets = Budgets(database, RedisStore(sys.argv[2]), Clock(), hold_seconds=2)
        await budgets.refresh()
        held = await budgets.bound(LOCAL, {}).reserve(Decimal(1))
        print("held", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_while_redis_is_away_each_process_goes_on_from_what_it_knows(redis_bench: Bench) -> None:
    here, server = await redis_bench.process(), redis_bench.server
    assert server is not None
    await here.add(budget(1))
    (await binding(here).reserve(Decimal("0.4"))).settle(Decimal("0.4"))
    before = await binding(here).reserve(Decimal("0.1"))
    await until(lambda: sent(here))
    server.kill()
    outcomes = await asyncio.gather(*(binding(here).reserve(Decimal("0.1")) for _ in range(20)), return_exceptions=True)
    held = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
    assert len(held) == 5
    for reservation in held[1:]:
        reservation.settle(Decimal("0.05"))
    before.settle(Decimal("0.1"))
    assert binding(here).left == Decimal("0.2")
    assert await standing(here) == (Decimal("0.7"), Decimal("0.1"), Decimal("0.2"))
    server.start()  # and it has lost everything
    await redis_is_back(redis_bench, here)
    assert (await standing(here))[0] == Decimal("0.7")
    there = await redis_bench.process()
    await refused(binding(there).reserve(Decimal("0.25")))
    held[0].settle(ZERO)
    await until(lambda: sent(here))
    (await binding(there).reserve(Decimal("0.3"))).settle(None)
    await until(lambda: sent(there))
    assert await standing(here) == (Decimal(1), ZERO, ZERO)


async def test_a_redis_that_hangs_counts_everything_once(redis_bench: Bench) -> None:
    redis_bench.timeout = 0.5
    here, server = await redis_bench.process(), redis_bench.server
    assert server is not None
    await here.add(budget(1))
    held = [await binding(here).reserve(Decimal("0.1")) for _ in range(3)]
    server.signal(signal.SIGSTOP)
    held[0].settle(Decimal("0.05"))
    late, _ = await asyncio.gather(
        binding(here).reserve(Decimal("0.1")), refused(binding(here).reserve(Decimal("0.9")))
    )
    held[1].settle(Decimal("0.05"))
    server.signal(signal.SIGCONT)
    await redis_is_back(redis_bench, here)
    assert await standing(here) == (Decimal("0.1"), Decimal("0.2"), Decimal("0.7"))
    for reservation in (held[2], late):
        reservation.settle(None)
    await until(lambda: sent(here))
    assert await standing(here) == (Decimal("0.3"), ZERO, Decimal("0.7"))
    there = await redis_bench.process()
    assert await standing(there) == (Decimal("0.3"), ZERO, Decimal("0.7"))


async def test_a_reservation_that_only_a_hanging_redis_let_through_is_let_go(redis_bench: Bench) -> None:
    redis_bench.timeout = 0.5
    here, server = await redis_bench.process(), redis_bench.server
    assert server is not None
    await here.add(budget(1))
    held = await binding(here).reserve(Decimal("0.1"))
    server.signal(signal.SIGSTOP)
    refusing = asyncio.create_task(refused(binding(here).reserve(Decimal("0.6"))))
    await asyncio.sleep(0)
    held.settle(Decimal("0.5"))
    await refusing
    server.signal(signal.SIGCONT)
    await redis_is_back(redis_bench, here)
    assert await standing(here) == (Decimal("0.5"), ZERO, Decimal("0.5"))


async def test_what_the_database_knows_before_redis_counts_once(redis_bench: Bench) -> None:
    here, server = await redis_bench.process(), redis_bench.server
    assert server is not None
    await here.add(budget(1))
    server.kill()
    (await binding(here).reserve(Decimal("0.1"))).settle(Decimal("0.1"))
    await redis_bench.spent("0.1")
    redis_bench.clock.advance(seconds=5)
    await here.refresh()
    assert binding(here).left == Decimal("0.9")
    server.start()
    await redis_is_back(redis_bench, here)
    assert await standing(here) == (Decimal("0.1"), ZERO, Decimal("0.9"))


async def test_what_waits_for_redis_is_sent_before_the_end(redis_bench: Bench) -> None:
    here = await redis_bench.process()
    await here.add(budget(1))
    held = [await binding(here).reserve(Decimal("0.0001")) for _ in range(1200)]
    for reservation in held:
        reservation.settle(None)
    await here.aclose()
    assert sent(here)
    there = await redis_bench.process()
    assert await standing(there) == (Decimal("0.12"), ZERO, Decimal("0.88"))


async def test_a_long_queue_goes_off_in_parts(redis_bench: Bench) -> None:
    here, server = await redis_bench.process(), redis_bench.server
    assert server is not None
    await here.add(budget(1))
    server.kill()
    held = [await binding(here).reserve(Decimal("0.0001")) for _ in range(1200)]
    for reservation in held:
        reservation.settle(None)
    await here.aclose()
    assert not sent(here)
    server.start()
    await redis_is_back(redis_bench, here)
    assert await standing(here) == (Decimal("0.12"), ZERO, Decimal("0.88"))


async def test_redis_forgets_old_periods_by_itself(redis_bench: Bench) -> None:
    budgets = await redis_bench.process()
    made = [await budgets.add(budget(1, period=period)) for period in ("day", "month", "total")]
    (await binding(budgets).reserve(CENT)).settle(CENT)
    await until(lambda: sent(budgets))
    client = redis_bench.stores[0]._client
    for each, period, days in zip(made, ("2026-11-24", "2026-11", "total"), (1, 7, 40), strict=True):
        for name in (f"mcp-gateway:budget:{each.id}:{period}", f"mcp-gateway:budget:{each.id}:{period}:holds"):
            assert 0 < await client.ttl(name) <= days * 86_400 + 7200


async def test_large_and_tiny_amounts_stay_exact(redis_bench: Bench) -> None:
    budgets = await redis_bench.process()
    await budgets.add(budget(1_000_000, period="total"))
    (await binding(budgets).reserve(Decimal("999999.999999998"))).settle(None)
    (await binding(budgets).reserve(Decimal("0.000000001"))).settle(None)
    await until(lambda: sent(budgets))
    assert (await standing(budgets))[::2] == (Decimal("999999.999999999"), Decimal("0.000000001"))
    await refused(binding(budgets).reserve(Decimal("0.0000000011")))


async def test_without_redis_processes_see_each_other_late_and_never_count_double(database: Database) -> None:
    async with AsyncExitStack() as stack:
        bench = Bench(database, Clock(), None, stack)
        here, there = await bench.process(), await bench.process()
        await here.add(budget(1))
        await there.refresh()
        for _ in range(5):
            for process in (here, there):
                (await binding(process).reserve(CENT)).settle(CENT)
                await bench.spent(CENT)
            bench.clock.advance(seconds=5)
            for process in (here, there):
                await process.refresh()
        assert binding(here).left == binding(there).left == Decimal("0.90")


async def test_the_period_ends_while_the_rows_are_being_read(database: Database) -> None:
    async with AsyncExitStack() as stack:
        bench = Bench(database, Clock(), None, stack)
        budgets = await bench.process()
        await budgets.add(budget(1, period="day"))
        await bench.spent("0.5")
        bench.clock.advance(hours=17, minutes=59, seconds=59)
        loop, held = asyncio.get_running_loop(), []

        async def next_day() -> None:
            bench.clock.advance(seconds=1)
            held.append(await binding(budgets).reserve(Decimal("0.25")))

        def meanwhile(*_: object) -> None:
            if budgets._lock.locked() and not held:
                asyncio.run_coroutine_threadsafe(next_day(), loop).result(5)

        event.listen(database.engine, "after_cursor_execute", meanwhile)
        try:
            await budgets.refresh()
        finally:
            event.remove(database.engine, "after_cursor_execute", meanwhile)
        assert binding(budgets).left == Decimal("0.75")
        held[0].settle(Decimal("0.25"))
        assert binding(budgets).left == Decimal("0.75")
