"""What usage says that budgets have spent, and which budgets there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from shared.domain.budgets import Budget
from shared.storage import budget_rows, spending_rows, usage_rows
from shared.storage.spending_rows import Spending
from shared.usage.counter import NOTHING, Counter
from shared.usage.periods import Span, span_of

PICO = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Recorded:
    """What usage rows say that a budget has spent in a period."""

    span: Span
    spent: Decimal


@dataclass(frozen=True, slots=True)
class Count:
    """All budgets at one version, and what is recorded of each by the rows up to id `row`."""

    versions: budget_rows.Versions
    budgets: Sequence[Budget]
    recorded: Sequence[Recorded]
    row: int
    stored: budget_rows.Known


def read(
    session: Session, fixed: Sequence[Budget], known: Mapping[str, Counter], now: datetime, *, stored: budget_rows.Known
) -> Count:
    """Everything. Only rows are read that `known`, counters by their budget's id, have not seen, and budgets that are not
    among those that were `stored` before.

    The versions are read first: budgets may be newer and are then read again, never older.
    """
    versions = budget_rows.versions(session)
    stored = budget_rows.stored(session, stored)
    budgets = [*fixed, *(budget for _, budget in stored.values()), *budget_rows.of_keys(session)]
    row = usage_rows.newest(session)
    spans = [span_of(budget.period, now) for budget in budgets]
    tags = sorted({budget.subject[1] for budget in budgets if budget.subject[0] == "tag"})
    sums: dict[tuple[datetime | None, int], Spending] = {}
    recorded: list[Recorded] = []
    for budget, span in zip(budgets, spans, strict=True):
        counter = known.get(budget.id)
        if counter is None or counter.span != span:
            before, seen = NOTHING, 0
        else:
            before, seen = counter.recorded, counter.row
        if (span.start, seen) not in sums:
            sums[span.start, seen] = _spent(session, seen, span.start, tags)
        added = sums[span.start, seen].get(budget.subject, 0)
        recorded.append(Recorded(span, before + Decimal(added) / PICO))
    return Count(versions, budgets, recorded, row, stored)


def _spent(session: Session, row: int, start: datetime | None, tags: Sequence[str]) -> Spending:
    if row:
        return spending_rows.since(session, row, start, tags)
    return spending_rows.altogether(session, start, tags)
