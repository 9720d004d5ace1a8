"""A budget that runs out is told of twice: when a fifth is left, and when nothing is."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from shared.domain.budgets import Budget, NewBudget
from shared.domain.identity import LOCAL
from shared.storage import schema
from shared.storage.database import Database
from shared.usage.alerts import Alerts
from shared.usage.budget_alerts import alert_of
from shared.usage.budgets import Budgets

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spent", "kind"),
    [("0", None), ("7.99", None), ("8", "budget_nearly_reached"), ("10", "budget_reached"), ("12", "budget_reached")],
)
def test_what_is_said_depends_on_what_is_left(spent: str, kind: str | None) -> None:
    budget = Budget(id="b", period="day", limit_usd=Decimal(10), created_at=NOW)
    alert = alert_of(budget, Decimal(spent), NOW)
    assert (alert and alert.kind) == kind


def test_a_budget_of_nothing_is_not_told_of() -> None:
    budget = Budget(id="b", period="day", limit_usd=Decimal(0), created_at=NOW)
    assert alert_of(budget, Decimal(0), NOW) is None


async def test_each_step_is_raised_once_however_many_requests_come_after_it(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'd.sqlite3'}") as database:
        schema.upgrade(database)
        alerts = Alerts(database)
        budgets = Budgets(database, None, lambda: NOW, alerts=alerts)
        await budgets.add(NewBudget(period="day", limit_usd=Decimal(1)))
        bound = budgets.bound(LOCAL, {})
        assert bound is not None
        for _ in range(20):
            (await bound.reserve(Decimal("0.05"))).settle(Decimal("0.05"))
            await alerts.settled()  # two steps at once may come to the database the other way round
        await alerts.settled()
        kinds = [alert.kind for alert in await alerts.recent()]
        assert sorted(kinds) == ["budget_nearly_reached", "budget_reached"]
        await alerts.aclose()


async def test_a_budget_that_is_lowered_is_told_of_at_its_new_limit(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'd.sqlite3'}") as database:
        schema.upgrade(database)
        alerts = Alerts(database)
        budgets = Budgets(database, None, lambda: NOW, alerts=alerts)
        budget = await budgets.add(NewBudget(period="day", limit_usd=Decimal(100)))

        async def spend(dollars: int) -> None:
            bound = budgets.bound(LOCAL, {})
            assert bound is not None
            (await bound.reserve(Decimal(1))).settle(Decimal(dollars))
            await alerts.settled()

        async def told() -> list[tuple[str, Decimal]]:
            return [(alert.kind, alert.threshold_usd) for alert in reversed(await alerts.recent())]

        await spend(80)
        assert await told() == [("budget_nearly_reached", 80)]
        await budgets.update(budget.id, limit=Decimal("84.5"))
        await spend(1)
        await spend(1)
        await spend(3)
        lowered = [
            ("budget_nearly_reached", 80),
            ("budget_nearly_reached", Decimal("67.6")),
            ("budget_reached", Decimal("84.5")),
        ]
        assert await told() == lowered
        await budgets.update(budget.id, limit=Decimal(90))
        await spend(1)
        assert await told() == lowered, "what a higher limit nearly comes to was told of already"
        await alerts.aclose()
