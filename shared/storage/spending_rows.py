"""What usage cost, summed up for those whom budgets bind: whole hours from their sums, the rest from the rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, true
from sqlmodel import Session, col

from shared.domain.budgets import Subject
from shared.storage import usage_hours
from shared.storage.tables import UsageHourRow, UsageRow
from shared.storage.usage_hours import ALL
from shared.storage.usage_rows import TAG, tag_pairs

Spending = dict[Subject, int]
"""What was spent on each subject of budgets, in 10^-12 US dollars."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)


def altogether(session: Session, start: datetime | None, tags: Sequence[str]) -> Spending:
    """What was spent from the beginning of an hour on, by everybody, each caller and each value of these tags."""
    start = start or BEGINNING
    spent: Spending = {}
    hours = usage_hours.covered(session, start, END, ALL)
    until = start if hours is None else hours[1]
    if hours is not None:
        _add(spent, _of_callers(session, start, until))
    for name in tags:
        tagged = usage_hours.covered(session, start, until, TAG + name)
        since = until if tagged is None else tagged[0]
        if start < since:  # hours that an older version summed up
            _add(spent, _of_tags(session, [name], col(UsageRow.at) >= start, col(UsageRow.at) < since))
        if tagged is not None:
            _add(spent, _of_values(session, name, since, until))
    _add(spent, _of_rows(session, tags, col(UsageRow.at) >= until))
    return spent


def since(session: Session, row: int, start: datetime | None, tags: Sequence[str]) -> Spending:
    """The same, of the rows after `row` alone."""
    times = () if start is None else (col(UsageRow.at) >= start,)
    return _of_rows(session, tags, col(UsageRow.id) > row, *times)


def _of_callers(session: Session, start: datetime, end: datetime) -> Spending:
    found = _sums(session, col(UsageHourRow.caller), start, end, ALL)
    return {("all",): sum(found.values()), **{("key", caller): pico for caller, pico in found.items()}}


def _of_values(session: Session, name: str, start: datetime, end: datetime) -> Spending:
    found = _sums(session, col(UsageHourRow.value), start, end, TAG + name)
    return {("tag", name, value): pico for value, pico in found.items()}


def _sums(session: Session, group: Any, start: datetime, end: datetime, by: str) -> dict[str, int]:
    hour, pico = col(UsageHourRow.hour), func.sum(col(UsageHourRow.cost_pico))
    rows = select(group, pico).where(col(UsageHourRow.by) == by, hour >= start, hour < end).group_by(group)
    return {name: int(spent or 0) for name, spent in session.connection().execute(rows)}


def _of_rows(session: Session, tags: Sequence[str], *conditions: Any) -> Spending:
    spent: Spending = {}
    caller, pico = col(UsageRow.caller), func.sum(col(UsageRow.cost_pico))
    rows = select(caller, pico).where(col(UsageRow.cost_pico) > 0, *conditions).group_by(caller)
    for name, cost in session.connection().execute(rows):
        _add(spent, {("all",): int(cost or 0), ("key", name): int(cost or 0)})
    _add(spent, _of_tags(session, tags, *conditions))
    return spent


def _of_tags(session: Session, tags: Sequence[str], *conditions: Any) -> Spending:
    if not tags:
        return {}
    tag = tag_pairs(session)
    name, value, pico = tag.c.key, tag.c.value, func.sum(col(UsageRow.cost_pico))
    rows = select(name, value, pico).select_from(UsageRow).join(tag, true())
    rows = rows.where(name.in_(tags), col(UsageRow.cost_pico) > 0, *conditions).group_by(name, value)
    return {("tag", name, value): int(cost or 0) for name, value, cost in session.connection().execute(rows)}


def _add(spent: Spending, more: Spending) -> None:
    for subject, pico in more.items():
        spent[subject] = spent.get(subject, 0) + pico
