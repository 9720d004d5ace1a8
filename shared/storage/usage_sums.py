"""Sums over usage: whole hours from where they are summed up already, the rest from the rows themselves."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from shared.storage import usage_hours, usage_rows
from shared.storage.usage_hours import HOUR, NAMES, hour_of
from shared.storage.usage_rows import EVERYTHING, Filters


def summed(
    session: Session,
    start: datetime,
    end: datetime,
    group_by: str | None,
    *,
    filters: Filters = EVERYTHING,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Sums over [start, end), one row a group, in the group's order; without a grouping all in one row.

    `requests` are distinct: one that was tried with two models counts once in each of their groups. One that went
    on into the next hour may count in both.
    """
    until = usage_hours.summed_until(session) if usage_hours.by_of(group_by, filters) else None
    first, last = _next_hour(start), end if until is None else min(until, hour_of(end))
    more: dict[str, Any] = {"filters": filters, "limit": limit}
    if until is None or first >= last:
        return usage_rows.summed(session, start, end, group_by, **more)
    parts = [usage_hours.summed(session, first, last, group_by, **more)]
    parts += [
        usage_rows.summed(session, since, to, group_by, **more)
        for since, to in ((start, first), (last, end))
        if since < to
    ]
    found = _together(row for part in parts for row in part)
    return found if limit is None else found[:limit]


def _together(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = groups.setdefault(row["group"], {"group": row["group"], **dict.fromkeys(NAMES, 0)})
        for name in NAMES:
            known[name] += row[name]
    return [groups[name] for name in sorted(groups)]


def _next_hour(moment: datetime) -> datetime:
    return hour_of(moment + HOUR - timedelta(microseconds=1))
