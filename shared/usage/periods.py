"""The calendar days and months, in UTC, over which budgets count. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.budgets import Period


@dataclass(frozen=True, slots=True)
class Span:
    """One period: its name, where it starts and where the next one does. A total has neither."""

    period: Period
    name: str
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, period: Period, now: datetime) -> bool:
        """Whether it is one of that kind, and still goes on."""
        return self.period == period and (self.end is None or now < self.end)


def span_of(period: Period, now: datetime) -> Span:
    """The period that a moment is in."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return Span(period, f"{midnight:%Y-%m-%d}", midnight, midnight + timedelta(days=1))
    if period == "month":
        first = midnight.replace(day=1)
        return Span(period, f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1))
    return Span(period, "total")
