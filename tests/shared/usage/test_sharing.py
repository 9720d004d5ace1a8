"""Three processes, a budget, and a real Valkey that dies: nothing is overspent, and counting is exact afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.budgets import NewBudget
from shared.domain.identity import LOCAL
from shared.errors import BudgetExceeded, BudgetsUncounted
from shared.storage.database import Database
from shared.storage.redis_store import RedisStore
from shared.usage import outage
from shared.usage.bound import Bound
from shared.usage.budgets import Budgets
from tests.support.clock import Clock
from tests.support.databases import away
from tests.support.redis_servers import RedisServer
from tests.support.waiting import until

CENT = Decimal("0.01")
SECONDS = 30


@dataclass
class Process:
    """One process: its budgets, and its connection to Redis."""

    budgets: Budgets
    store: RedisStore
    spent: Decimal = Decimal(0)
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)

    @property
    def mode(self) -> str:
        assert self.budgets.sharing is not None
        return self.budgets.sharing.outage.mode

    @property
    def bound(self) -> Bound:
        found = self.budgets.bound(LOCAL, {})
        assert found is not None
        return found

    async def spend(self, amount: Decimal = CENT) -> None:
        """Hold an amount and spend all of it. Raises BudgetExceeded."""
        held = await self.bound.reserve(amount)
        await asyncio.sleep(0)
        held.settle(amount)
        self.spent += amount


@asynccontextmanager
async def process(database: Database, server: RedisServer, without: Any = "share") -> AsyncIterator[Process]:
    store = RedisStore(server.url, timeout=5, retry_seconds=0.05)
    budgets = Budgets(database, store, Clock(), without_redis=without)
    made = Process(budgets, store)
    await budgets.join()
    await budgets.refresh()

    async def refreshing() -> None:
        while True:
            await asyncio.sleep(0.05)
            await budgets.refresh()

    assert budgets.sharing is not None
    made.tasks = [asyncio.create_task(work) for work in (budgets.sharing.outage.run(), store.watch(), refreshing())]
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        await budgets.aclose()
        await store.aclose()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "BUSY_SECONDS", 0.02)
    monkeypatch.setattr(outage, "SHARING_SECONDS", 0.05)
    monkeypatch.setattr(outage, "WAIT_SECONDS", SECONDS)


@pytest.fixture
async def three(database: Database, redis_server: RedisServer) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(process(database, redis_server)) for _ in range(3)]
        await made[0].budgets.add(NewBudget(limit_usd=Decimal(1)))
        for each in made:
            await each.budgets.refresh()
        yield made


async def all_are(made: list[Process], mode: str) -> None:
    await until(lambda: all(each.mode == mode for each in made), SECONDS)


async def all_have_budgets(made: list[Process]) -> None:
    await until(lambda: all(each.budgets.bound(LOCAL, {}) for each in made), SECONDS)


def spent(made: list[Process]) -> Decimal:
    return sum((each.spent for each in made), Decimal(0))


async def until_refused(each: Process, workers: int = 67, amount: Decimal = CENT) -> None:
    """Spend by many requests at once until all are refused."""

    async def work() -> None:
        with suppress(BudgetExceeded):
            while True:
                await each.spend(amount)

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(work() for _ in range(workers)))


async def test_nothing_is_overspent_when_redis_dies_under_load(three: list[Process], redis_server: RedisServer) -> None:
    running = [asyncio.create_task(until_refused(each, amount=Decimal("0.001"))) for each in three]  # 201 at once
    await until(lambda: spent(three) > Decimal("0.2"), SECONDS)
    redis_server.kill()
    await asyncio.gather(*running)
    assert Decimal("0.2") < spent(three) <= 1
    await all_are(three, "sharing")
    redis_server.start()  # it has lost everything
    await all_are(three, "exact")
    await asyncio.gather(*(until_refused(each, amount=Decimal("0.001")) for each in three))
    assert spent(three) == 1  # exact again: what no share took up is spent now, and no more
    (standing,) = await three[0].budgets.list()
    assert (standing.spent_usd, standing.reserved_usd) == (Decimal(1), Decimal(0))


async def test_each_gets_an_equal_share_of_what_is_left(three: list[Process], redis_server: RedisServer) -> None:
    await three[0].spend(Decimal("0.1"))
    held = await three[1].bound.reserve(Decimal("0.3"))
    redis_server.kill()
    for each in three:
        with pytest.raises(BudgetExceeded) as error:
            await each.spend(Decimal("0.21"))
        assert isinstance(error.value.details, dict)
        assert error.value.details["shareLeftUsd"] == 0.2
        assert each.bound.left == Decimal("0.2")
        await each.spend(Decimal("0.19"))
        assert each.bound.left == CENT
    held.settle(Decimal("0.31"))  # more than was held is taken of the share
    assert three[1].bound.left == 0
    redis_server.start()
    await all_are(three, "exact")
    (standing,) = await three[2].budgets.list()
    assert (standing.spent_usd, standing.reserved_usd) == (Decimal("0.98"), Decimal(0))


async def test_open_reservations_are_held_again_when_redis_has_lost_them(
    three: list[Process], redis_server: RedisServer
) -> None:
    before = await three[0].bound.reserve(Decimal("0.4"))
    redis_server.kill()
    during = await three[1].bound.reserve(Decimal("0.2"))
    redis_server.start()
    await all_are(three, "exact")
    with pytest.raises(BudgetExceeded):
        await three[2].spend(Decimal("0.41"))
    await three[2].spend(Decimal("0.4"))
    before.settle(Decimal("0.4"))
    during.settle(None)
    await until_refused(three[0], 1)
    for each in three:
        (standing,) = await each.budgets.list()
        assert (standing.spent_usd, standing.left_usd) == (Decimal(1), Decimal(0))


async def test_a_process_that_alone_cannot_reach_redis_brings_all_to_their_shares(
    three: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = three[0].store

    async def lost() -> bool:
        cut._lost(OSError("cut off"))
        return False

    with monkeypatch.context() as patched:
        patched.setattr(cut, "ping", lost)
        await lost()
        await asyncio.gather(*(until_refused(each) for each in three))
        await all_are(three, "sharing")
        assert Decimal("0.33") <= spent(three) <= 1
    await all_are(three, "exact")
    await asyncio.gather(*(until_refused(each, 3) for each in three))
    assert spent(three) == 1


async def test_a_redis_that_hangs_counts_nothing_twice(database: Database, redis_server: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(process(database, redis_server)) for _ in range(2)]
        for each in made:
            each.store._timeout = 0.5
        await made[0].budgets.add(NewBudget(limit_usd=Decimal(1)))
        await all_have_budgets(made)
        running = [asyncio.create_task(until_refused(each, 20)) for each in made]
        await until(lambda: spent(made) > Decimal("0.2"), SECONDS)
        redis_server.signal(signal.SIGSTOP)
        await asyncio.gather(*running)
        assert spent(made) <= 1
        redis_server.signal(signal.SIGCONT)
        await all_are(made, "exact")
        await asyncio.gather(*(until_refused(each, 5) for each in made))
        assert spent(made) == 1


async def test_a_process_that_starts_meanwhile_has_no_share_until_redis_is_back(
    three: list[Process], database: Database, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "WAIT_SECONDS", 0.1)
    redis_server.kill()
    with suppress(BudgetsUncounted):
        await three[0].spend()
    await all_are(three, "sharing")
    async with process(database, redis_server) as late:
        with pytest.raises(BudgetsUncounted) as error:
            await late.spend()
        assert "free model" in error.value.message
        redis_server.start()
        await all_are([*three, late], "exact")
        await late.spend()


async def test_without_the_database_too_nothing_is_spent_that_was_not_agreed_on(
    three: list[Process], database: Database, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "WAIT_SECONDS", 0.1)
    with away(database):
        redis_server.kill()
        for each in three:
            with pytest.raises(BudgetsUncounted):
                await each.spend()
    redis_server.start()
    await all_are(three, "exact")
    await three[0].spend()


async def test_refuse_lets_nothing_pass_that_costs_money(database: Database, redis_server: RedisServer) -> None:
    async with process(database, redis_server, "refuse") as made:
        await made.budgets.add(NewBudget(limit_usd=Decimal(1)))
        redis_server.kill()
        with pytest.raises(BudgetsUncounted, match="BUDGETS_WITHOUT_REDIS=refuse"):
            await made.spend()
        (await made.bound.reserve(Decimal(0))).settle(Decimal(0))
        redis_server.start()
        async with asyncio.timeout(SECONDS):
            while not made.spent:  # a connection of before may still be found broken, which refuses once more
                await all_are([made], "exact")
                with suppress(BudgetsUncounted):
                    await made.spend()


async def test_a_process_that_leaves_is_not_waited_for(database: Database, redis_server: RedisServer) -> None:
    async with process(database, redis_server) as here:
        async with process(database, redis_server):
            pass
        await here.budgets.add(NewBudget(limit_usd=Decimal(1)))
        redis_server.kill()
        await until_refused(here, 5)
        assert here.spent == 1
