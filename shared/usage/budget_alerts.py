"""When a budget is nearly, or wholly, used up, and what is said of it."""

from datetime import datetime
from decimal import Decimal

from shared.domain.alerts import Alert
from shared.domain.budgets import IN_WORDS, Budget
from shared.domain.money import plain
from shared.usage.alerts import Alerts
from shared.usage.counter import Counter

SHARES = (Decimal(1), Decimal("0.8"))


def alert_of(budget: Budget, spent: Decimal, now: datetime) -> Alert | None:
    """The alert that is due once so much is spent; None below four fifths of the budget."""
    share = next((share for share in SHARES if budget.limit_usd and spent >= budget.limit_usd * share), None)
    if share is None:
        return None
    return Alert(
        at=now,
        kind="budget_reached" if share == 1 else "budget_nearly_reached",
        message=(
            f"${plain(spent)} is spent of the budget '{budget.id}' for {budget.whose}, ${plain(budget.limit_usd)} "
            f"{IN_WORDS[budget.period]}."
        ),
        spent_usd=spent,
        threshold_usd=budget.limit_usd * share,
    )


def warn(alerts: Alerts, budget: Budget | None, counter: Counter, now: datetime) -> None:
    """Raise the alert that a budget's spending calls for, once a period."""
    alert = None if budget is None else alert_of(budget, counter.spent, now)
    if budget is not None and alert is not None:
        alerts.raise_once(f"budget:{counter.budget_id}", counter.span.name, alert, limit=budget.limit_usd)
