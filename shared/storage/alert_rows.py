"""Which alerts were raised, known to all processes: so that each is raised once."""

from decimal import Decimal
from typing import Any

from sqlmodel import Session

from shared.domain.alerts import Alert
from shared.storage import exclusive, facts

RECENT = "alerts"
KEPT = 50


def claim(session: Session, key: str, period: str, alert: Alert, *, limit: Decimal = Decimal(0)) -> bool:
    """Keep an alert, unless one with this key was raised in the same period at the same threshold or a higher one, of
    the same limit or a lower one.
    """
    exclusive.alone(session, exclusive.ALERTS)
    name = f"alert:{key}"
    before = facts.read(session, name)
    if before and before["period"] == period and _covered(before, alert, limit):
        return False
    facts.write(session, name, {"period": period, "threshold": str(alert.threshold_usd), "limit": str(limit)})
    kept: list[Any] = facts.read(session, RECENT, [])
    facts.write(session, RECENT, [*kept, alert.model_dump(mode="json", by_alias=True)][-KEPT:])
    return True


def _covered(before: dict[str, str], alert: Alert, limit: Decimal) -> bool:
    """Whether what was raised before says all that this alert does."""
    return Decimal(before["threshold"]) >= alert.threshold_usd and Decimal(before.get("limit", 0)) <= limit


def recent(session: Session) -> list[Alert]:
    """The last ones, newest first."""
    return [Alert.model_validate(kept) for kept in reversed(facts.read(session, RECENT, []))]
