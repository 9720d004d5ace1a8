"""Sums over usage: whole hours from where they are summed up already, the rest from the rows themselves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session

from shared.errors import InvalidInput
from shared.storage import usage_hours, usage_rows
from shared.storage.usage_hours import NAMES
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
    on into the next hour may count in both. Raises InvalidInput for what deleted rows would tell.
    """
    by = usage_hours.by_of(group_by, filters)
    hours = None if by is None else usage_hours.covered(session, start, end, by)
    more: dict[str, Any] = {"filters": filters, "limit": limit}
    spans = [(start, end)]
    if hours is not None:
        spans = [(since, to) for since, to in ((start, hours[0]), (hours[1], end)) if since < to]
    if spans:
        _check(session, spans[0][0])
    parts = [usage_rows.summed(session, since, to, group_by, **more) for since, to in spans]
    if hours is None:
        return parts[0]
    found = _together(row for part in [usage_hours.summed(session, *hours, group_by, **more), *parts] for row in part)
    return found if limit is None else found[:limit]


def _check(session: Session, start: datetime) -> None:
    """Raises InvalidInput where rows from then on are deleted already."""
    pruned = usage_hours.pruned_until(session)
    if pruned is not None and start < pruned:
        raise InvalidInput(
            f"Usage before {pruned:%Y-%m-%dT%H:00Z} is kept by the hour and by one thing at a time (USAGE_DAYS): ask for whole "
            "hours with one filter or grouping besides 'key' and time, or for a later 'from'.",
            code="usage_pruned",
        )


def _together(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = groups.setdefault(row["group"], {"group": row["group"], **dict.fromkeys(NAMES, 0)})
        for name in NAMES:
            known[name] += row[name]
    return [groups[name] for name in sorted(groups)]
