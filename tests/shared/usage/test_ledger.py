"""The ledger: counted at once, written in batches, nothing lost in silence."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.domain.alerts import Alert
from shared.errors import Unavailable
from shared.storage import usage_rows
from shared.storage.database import Database
from shared.storage.journal import Journal
from shared.usage import ledger as ledger_module
from shared.usage.alerts import Alerts
from shared.usage.ledger import Entry, Ledger, cost_of
from shared.usage.totals import MOST_MODELS, Day, Totals
from tests.support.clock import Clock
from tests.support.databases import away

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ENTRY = Entry(
    at=NOON,
    request_id="r",
    caller="local",
    model_id="m",
    provider="p",
    layer="L1",
    prompt_tokens=10,
    completion_tokens=5,
    cached_tokens=2,
    cost=Decimal("0.000000012345"),
    outcome="ok",
    estimated=False,
    duration_ms=12,
    tags={"team": "a"},
)


def entry(**more: Any) -> Entry:
    return replace(ENTRY, **more)


async def summed(database: Database, group_by: Any = "day") -> list[dict[str, Any]]:
    span = NOON - timedelta(days=30), NOON + timedelta(days=30)
    return await database.read(lambda session: usage_rows.summed(session, *span, group_by))


async def test_rows_are_written_exactly_and_summed_by_day(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    for _ in range(1200):
        ledger.record(ENTRY)
    ledger.record(entry(at=NOON + timedelta(days=1), cost=None, outcome="provider_failed"))
    await ledger.flush()
    first, second = await summed(database)
    assert (first["group"], first["attempts"], first["prompt_tokens"]) == ("2026-03-04", 1200, 12_000)
    assert cost_of(first) == Decimal("0.000000012345") * 1200
    assert (second["group"], second["failed"], second["unpriced"], cost_of(second)) == ("2026-03-05", 1, 1, 0)


async def test_sums_by_model_layer_provider_and_key(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(ENTRY)
    ledger.record(entry(model_id="other", layer="L2", provider="q", caller="key:1"))
    await ledger.flush()
    for group_by, groups in {
        "model": ["m", "other"],
        "layer": ["L1", "L2"],
        "provider": ["p", "q"],
        "key": ["key:1", "local"],
    }.items():
        assert [row["group"] for row in await summed(database, group_by)] == groups


async def test_days_are_utc_days(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(entry(at=datetime.fromisoformat("2026-03-05T01:30:00+09:00")))
    await ledger.flush()
    assert [row["group"] for row in await summed(database)] == ["2026-03-04"]


async def test_totals_count_at_once(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(ENTRY)
    ledger.record(entry(cost=None, outcome="cancelled"))
    assert (ledger.totals.attempts, ledger.totals.failed, ledger.totals.unpriced) == (2, 1, 1)
    assert ledger.today == Day("2026-03-04", Decimal("0.000000012345"), unpriced=1)
    assert ledger.today.cost == ENTRY.cost


async def test_totals_say_what_for(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    for purpose in ("answer", "hedge", "answer"):
        ledger.record(entry(purpose=purpose))
    assert ledger.totals.by_purpose == {"answer": 2, "hedge": 1}


async def test_todays_spend_goes_on_after_a_restart(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(ENTRY)
    await ledger.flush()
    after = Ledger(database, lambda: NOON + timedelta(hours=1))
    await after.load_today()
    assert after.today.cost == ENTRY.cost
    tomorrow = Ledger(database, lambda: NOON + timedelta(days=1))
    await tomorrow.load_today()
    assert tomorrow.today.cost == 0


async def test_rows_wait_while_the_database_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(ENTRY)

    async def away(_: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "run", away)
        with pytest.raises(Unavailable):
            await ledger.flush()
    await ledger.flush()
    assert [row["attempts"] for row in await summed(database)] == [1]


async def test_what_has_no_room_is_counted_as_lost(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CAPACITY", 3)
    ledger = Ledger(database, lambda: NOON)
    for _ in range(5):
        ledger.record(ENTRY)
    assert ledger.lost == 2
    assert ledger.totals.attempts == 5


async def test_without_cost_tracking_nothing_is_stored_but_all_is_counted(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.store = False
    ledger.record(ENTRY)
    await ledger.flush()
    assert await summed(database) == []
    assert ledger.totals.attempts == 1


async def test_a_flush_that_is_cancelled_writes_each_row_once(database: Database) -> None:
    ledger = Ledger(database, lambda: NOON)
    for _ in range(5):
        ledger.record(ENTRY)
    for _ in range(5):
        flushing = asyncio.ensure_future(ledger.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
    await ledger.aclose()
    assert [row["attempts"] for row in await summed(database)] == [5]


@pytest.mark.parametrize("odd", [{"prompt_tokens": 2**63}, {"cost": Decimal("1e308")}, {"request_id": "nul\x00"}])
async def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(
    database: Database, odd: dict[str, Any]
) -> None:
    ledger = Ledger(database, lambda: NOON)
    ledger.record(ENTRY)
    ledger.record(entry(**odd))
    ledger.record(ENTRY)
    await ledger.flush()
    found = sum(row["attempts"] for row in await summed(database))
    assert (found, ledger.lost) in ((2, 1), (3, 0)), "SQLite takes some of what PostgreSQL refuses"
    ledger.record(ENTRY)
    await ledger.flush()
    assert sum(row["attempts"] for row in await summed(database)) == found + 1


class Told(Alerts):
    """Only notes what it is told to raise."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.told: list[tuple[str, str, Alert]] = []

    def raise_once(self, key: str, period: str, alert: Alert, *, limit: Decimal = Decimal(0)) -> None:
        self.told.append((key, period, alert))

    @property
    def thresholds(self) -> list[tuple[str, Decimal]]:
        return [(period, alert.threshold_usd) for _, period, alert in self.told]


async def test_reaching_the_threshold_raises_one_alert_a_day(database: Database) -> None:
    clock = Clock()
    alerts = Told(database)
    ledger = Ledger(database, clock, alerts)
    ledger.watch(Decimal(1))
    ledger.record(entry(at=clock(), cost=Decimal("0.999999")))
    assert alerts.told == []
    ledger.record(entry(at=clock(), cost=Decimal("0.000001")))
    ledger.record(entry(at=clock(), cost=Decimal(5)))
    assert alerts.thresholds == [("2026-11-24", 1)]
    _, _, alert = alerts.told[0]
    assert (alert.kind, alert.spent_usd, alert.at) == ("cost_threshold_reached", Decimal(1), clock())
    assert "$1.00" in alert.message
    clock.advance(hours=18)
    ledger.record(entry(at=clock(), cost=Decimal("0.5")))
    assert len(alerts.told) == 1, "a new day begins at nothing"
    ledger.record(entry(at=clock(), cost=Decimal("0.5")))
    assert alerts.thresholds[1:] == [("2026-11-25", 1)]


async def test_a_threshold_is_compared_as_soon_as_it_changes(database: Database) -> None:
    clock = Clock()
    alerts = Told(database)
    ledger = Ledger(database, clock, alerts)
    ledger.record(entry(at=clock(), cost=Decimal(3)))
    ledger.watch(Decimal(0))
    assert alerts.told == [], "0 never alerts"
    ledger.watch(Decimal(4))
    assert alerts.told == []
    ledger.watch(Decimal(2))
    assert [threshold for _, threshold in alerts.thresholds] == [2]
    ledger.watch(Decimal(4))
    ledger.record(entry(at=clock(), cost=Decimal(1)))
    assert [threshold for _, threshold in alerts.thresholds] == [2, 4]


async def test_what_others_spend_counts_towards_the_threshold(database: Database) -> None:
    clock = Clock()
    alerts = Told(database)
    one, other = Ledger(database, clock, alerts), Ledger(database, clock)
    one.watch(Decimal(1))
    other.record(entry(at=clock(), cost=Decimal("0.6")))
    await other.flush()
    one.record(entry(at=clock(), cost=Decimal("0.6")))
    await one.flush()
    assert alerts.told == [], "it looks at the others only so often"
    clock.advance(seconds=ledger_module.OTHERS_SECONDS)
    one.record(entry(at=clock(), cost=Decimal("0.01")))
    await one.flush()
    assert one.today.cost == Decimal("1.21")
    assert len(alerts.told) == 1


async def test_todays_spend_holds_what_is_not_stored_or_not_written_yet(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    ledger.store = False
    ledger.record(entry(at=clock(), cost=Decimal(2)))
    ledger.store = True
    ledger.record(entry(at=clock(), cost=Decimal(1)))
    await ledger.load_today()
    assert ledger.today.cost == 3
    with away(database), pytest.raises(Unavailable):
        await ledger.flush()
    assert ledger.today.cost == 3


async def test_a_database_that_goes_after_the_writing_holds_nothing_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    clock.advance(minutes=1)
    ledger.record(entry(at=clock()))

    async def gone(_: Any) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "read", gone)
        await ledger.flush()
    assert ledger.today.cost == ENTRY.cost


def test_models_that_are_counted_by_name_are_bounded() -> None:
    totals = Totals()
    for number in range(MOST_MODELS + 5):
        totals.named("one", f"model-{number}").unpriced += 1
    assert len(totals.models) == MOST_MODELS + 1
    assert totals.models["other", "other"].unpriced == 5


async def test_rows_of_other_versions_are_taken_over_and_lines_that_are_none_are_reported(
    database: Database, tmp_path: Path
) -> None:
    left = Journal(tmp_path / "journal")
    left.open()
    known = ["2026-03-04T12:00:00.000001+00:00", "r", "local", "m", "p", "L1", 10, 5, 2, "ok", False, 12, {"team": "a"}]
    for line in (
        [1, "0.5", known],  # written before the last fields were added
        [2, None, [*known, 0, 0, "answer", "", "chat", "a field of the next version"]],
        [3, "0.25", known[:4]],
        ["no row"],
    ):
        left.append(json.dumps(line).encode())
    left.append(b"\0\0\0")
    left.append(b'[4, "0.5", ["2026-03-04T12:0')
    left.close(stored=False)
    ledger = Ledger(database, lambda: NOON, journal=Journal(tmp_path / "journal"))
    with capture_logs() as logs:
        await ledger.open_journal()
        await ledger.take_over()
    (day,) = await summed(database)
    assert (day["attempts"], cost_of(day), day["unpriced"]) == (2, Decimal("0.5"), 1)
    assert [(log["rows"], log["unreadable"], log["log_level"]) for log in logs] == [(2, 4, "warning")]
    await ledger.aclose()
    assert [*(tmp_path / "journal").iterdir()] == []


async def test_a_row_in_the_journal_is_the_row_that_would_have_been_stored(database: Database, tmp_path: Path) -> None:
    entries = [
        ENTRY,
        entry(at=NOON.replace(microsecond=123457), cost=None, trace_id="t", chat_id="c", purpose="hedge"),
        entry(at=NOON.astimezone(timezone(timedelta(hours=5))), request_id="a \ud800 lone\nsurrogate", cost=Decimal(0)),
        entry(prompt_tokens=2**40, estimated=True, tags={"a": 'b"\n', "c": "é"}),
    ]
    journal = Journal(tmp_path / "journal")
    journal.open()
    killed = Ledger(database, lambda: NOON, journal=journal)
    for one in entries:
        killed.record(one)
    journal.close(stored=False)
    found, left = list[tuple[int, Entry]](), Journal(tmp_path / "journal")
    while (file := left.left()) is not None:
        rows, unreadable = ledger_module._read(file)
        assert not unreadable
        found += rows
        file.delete()
    assert [one for _, one in found] == entries
    assert len({row_id for row_id, _ in found}) == len(entries)
