"""Which alerts were raised, for all processes at once."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from shared.domain.alerts import Alert
from shared.storage import alert_rows
from shared.storage.database import Database


def alert(threshold: str = "1", message: str = "enough") -> Alert:
    return Alert(
        at=datetime(2026, 3, 4, tzinfo=UTC),
        kind="test",
        message=message,
        spent_usd=Decimal("2.000000000001"),
        threshold_usd=Decimal(threshold),
    )


async def claim(database: Database, key: str, period: str, made: Alert, *, limit: int = 0) -> bool:
    work = partial(alert_rows.claim, key=key, period=period, alert=made, limit=Decimal(limit))
    return await database.run(work)


async def test_an_alert_is_raised_once_a_period(database: Database) -> None:
    assert await claim(database, "a", "2026-03-04", alert())
    assert not await claim(database, "a", "2026-03-04", alert())
    assert await claim(database, "b", "2026-03-04", alert())
    assert await claim(database, "a", "2026-03-05", alert())


async def test_a_higher_threshold_is_another_alert_and_a_lower_one_is_not(database: Database) -> None:
    assert await claim(database, "a", "d", alert("0.1"))
    assert not await claim(database, "a", "d", alert("0.09"))
    assert await claim(database, "a", "d", alert("0.11"))
    assert not await claim(database, "a", "d", alert("0.1"))


async def test_a_lower_threshold_of_a_lower_limit_is_another_alert_and_that_of_a_higher_one_is_not(
    database: Database,
) -> None:
    assert await claim(database, "a", "d", alert("8"), limit=10)
    assert await claim(database, "a", "d", alert("5"), limit=5)
    assert not await claim(database, "a", "d", alert("4"), limit=5)
    assert not await claim(database, "a", "d", alert("4.8"), limit=6)
    assert await claim(database, "a", "d", alert("6"), limit=6)


async def test_the_last_ones_are_kept_as_they_were(database: Database) -> None:
    assert await database.read(alert_rows.recent) == []
    for number in range(alert_rows.KEPT + 3):
        await claim(database, "a", f"day{number}", alert(message=str(number)))
    found = await database.read(alert_rows.recent)
    assert [item.message for item in found] == [str(number) for number in range(alert_rows.KEPT + 2, 2, -1)]
    assert found[0] == alert(message=str(alert_rows.KEPT + 2))
