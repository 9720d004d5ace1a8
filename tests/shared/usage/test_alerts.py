"""Alerts: once for all processes, logged, kept and delivered, and never in the way of whoever raises them."""

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.pool import QueuePool

from shared.domain.alerts import Alert
from shared.storage.database import Database
from shared.usage import alerts as alerts_module
from shared.usage.alerts import Alerts
from tests.support.databases import away
from tests.support.logs import logged_by
from tests.support.waiting import until

ALERTS_OF_EACH = 30


def alert(threshold: int = 1, message: str = "enough") -> Alert:
    return Alert(
        at=datetime(2026, 3, 4, tzinfo=UTC),
        kind="test",
        message=message,
        spent_usd=Decimal("2.5"),
        threshold_usd=Decimal(threshold),
    )


class Taker:
    """Takes deliveries, each once it is let."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Alert]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.let = asyncio.Event()

    async def deliver(self, period: str, given: Alert) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.let.wait()
            self.taken.append((period, given))
        finally:
            self.at_once -= 1


async def test_an_alert_is_logged_kept_and_delivered_once(database: Database) -> None:
    taker = Taker()
    taker.let.set()
    alerts = Alerts(database, taker.deliver)
    with logged_by(alerts_module) as logs:
        for _ in range(3):
            alerts.raise_once("cost", "today", alert())
            await alerts.settled()
    assert [(line["event"], line["log_level"], line["spent"]) for line in logs] == [("enough", "warning", "2.5")]
    assert taker.taken == [("today", alert())]
    assert await alerts.recent() == [alert()]


async def test_it_is_not_raised_again_after_a_restart_but_at_a_higher_threshold(database: Database) -> None:
    taker = Taker()
    taker.let.set()
    for threshold, period in ((1, "today"), (1, "today"), (2, "today"), (1, "today"), (1, "tomorrow")):
        alerts = Alerts(database, taker.deliver)
        alerts.raise_once("cost", period, alert(threshold))
        await alerts.settled()
    assert [(period, given.threshold_usd) for period, given in taker.taken] == [
        ("today", 1),
        ("today", 2),
        ("tomorrow", 1),
    ]
    assert [given.threshold_usd for given in await alerts.recent()] == [1, 2, 1]


async def test_a_slow_delivery_holds_up_neither_the_log_nor_the_list(database: Database) -> None:
    taker = Taker()
    alerts = Alerts(database, taker.deliver)
    with logged_by(alerts_module) as logs:
        for number in range(3):
            alerts.raise_once(f"key{number}", "today", alert(message=str(number)))
        await until(lambda: len(logs) == 3)
    assert {given.message for given in await alerts.recent()} == {"0", "1", "2"}
    assert taker.taken == []
    taker.let.set()
    await alerts.settled()
    assert (len(taker.taken), taker.most_at_once) == (3, 1)


async def test_the_end_comes_even_if_a_delivery_does_not(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_module, "CLOSE_SECONDS", 0.05)
    taker = Taker()
    alerts = Alerts(database, taker.deliver)
    alerts.raise_once("cost", "today", alert())
    alerts.raise_once("other", "today", alert())
    await until(lambda: taker.at_once == 1)
    with logged_by(alerts_module) as logs:
        await asyncio.wait_for(alerts.aclose(), 5)
    assert taker.at_once == 0
    assert logs[-1]["alerts"] == 2


async def test_a_cancelled_claim_leaves_no_connection_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_module, "CLOSE_SECONDS", 0)
    alerts = Alerts(database)
    alerts.raise_once("cost", "today", alert())
    await asyncio.wait_for(alerts.aclose(), 5)
    assert isinstance(database.engine.pool, QueuePool)
    assert database.engine.pool.checkedout() == 0


async def test_what_is_under_way_at_the_end_gets_a_moment(database: Database) -> None:
    taker = Taker()
    taker.let.set()
    alerts = Alerts(database, taker.deliver)
    alerts.raise_once("cost", "today", alert())
    await alerts.aclose()
    assert len(taker.taken) == 1


async def test_an_alert_waits_for_a_database_that_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_module, "RETRY_SECONDS", 0.01)
    taker = Taker()
    taker.let.set()
    alerts = Alerts(database, taker.deliver)
    with away(database), logged_by(alerts_module) as logs:
        alerts.raise_once("cost", "today", alert())
        await until(lambda: bool(logs))
        assert logs[0]["alert"] == "enough", "the operator reads it all the same"
        assert await alerts.recent() == []
    await alerts.settled()
    assert len(taker.taken) == 1


@pytest.mark.slow
async def test_of_two_processes_one_raises_each_alert(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.alert_raiser",
            url,
            str(ALERTS_OF_EACH),
            cwd=Path(__file__).parents[3],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    try:
        async with asyncio.timeout(60):
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
            said = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [process.returncode for process in processes] == [0, 0]
    raised = Counter(line for out, _ in said for line in out.decode().splitlines() if line.startswith("period"))
    assert raised == {f"period{number}": 1 for number in range(ALERTS_OF_EACH)}
    assert len(await Alerts(database).recent()) == ALERTS_OF_EACH
