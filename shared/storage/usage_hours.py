"""Usage by the hour: what happened long enough ago is summed up once, so that a year of it is soon read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, literal, select
from sqlmodel import Session, col

from shared.storage import exclusive, facts
from shared.storage.tables import UsageHourRow, UsageRow
from shared.storage.usage_rows import COLUMNS, TAG, TIMES, Filters, in_order, sums, time_of

UNTIL = "usage:summed-until"
"""The fact that says which hours are summed up: those before it, an ISO time."""

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=15)
"""Rows are written seconds after they happened. Only while the database was away do they come later than this."""
LATE = timedelta(minutes=10)

ALL = "all"
BY: dict[str, Any] = {ALL: None, **{name: column for name, column in COLUMNS.items() if name != "key"}}
"""What hours are summed up by, besides by caller."""

NAMES = [expression.name for expression in sums()]


def summed_until(session: Session) -> datetime | None:
    """The hour from which on rows are not summed up yet; None while none are."""
    value = facts.read(session, UNTIL)
    return None if value is None else datetime.fromisoformat(value)


def make_room(session: Session, earliest: datetime, *, now: datetime) -> None:
    """Before rows are written of which the earliest is from then: hours that they change are summed up anew."""
    if now - earliest < LATE:
        return
    exclusive.alone(session, exclusive.USAGE)
    until, hour = summed_until(session), hour_of(earliest)
    if until is not None and hour < until:
        session.connection().execute(delete(UsageHourRow).where(col(UsageHourRow.hour) >= hour))
        facts.write(session, UNTIL, hour.isoformat())


def sum_up(session: Session, *, now: datetime) -> bool:
    """Sum up one more hour that has usage in it. Returns whether there are others left."""
    exclusive.alone(session, exclusive.USAGE)
    settled = hour_of(now - SETTLED)
    until = summed_until(session)
    hour = _next(session, until)
    if hour is None or hour >= settled:
        facts.write(session, UNTIL, max(until or settled, settled).isoformat())
        return False
    for by, column in BY.items():
        _sum_up(session, hour, by, column)
    facts.write(session, UNTIL, (hour + HOUR).isoformat())
    return True


def by_of(group_by: str | None, filters: Filters) -> str | None:
    """By what hours must be summed up to answer this; None when they cannot."""
    wanted = {name for name in ("model", "provider", "layer") if getattr(filters, name) is not None}
    if group_by is not None and group_by not in (*TIMES, "key"):
        wanted.add(group_by)
    if filters.tag is not None or len(wanted) > 1 or (group_by or "").startswith(TAG):
        return None
    return wanted.pop() if wanted else ALL


def summed(
    session: Session,
    start: datetime,
    end: datetime,
    group_by: str | None,
    *,
    filters: Filters,
    limit: int | None,
) -> list[dict[str, Any]]:
    """As `usage_rows.summed`, over whole hours that are summed up, where `by_of` says how."""
    by = by_of(group_by, filters)
    group = literal("total") if group_by is None else in_order(session, _group(session, group_by))
    columns = [func.coalesce(func.sum(getattr(UsageHourRow, name)), 0).label(name) for name in NAMES]
    statement = select(group.label("group"), *columns).where(
        col(UsageHourRow.by) == by,
        col(UsageHourRow.hour) >= start,
        col(UsageHourRow.hour) < end,
        *_conditions(filters),
    )
    if group_by is not None:
        statement = statement.group_by("group").order_by("group").limit(limit)
    return [dict(row) for row in session.connection().execute(statement).mappings()]


def _group(session: Session, group_by: str) -> Any:
    if group_by in TIMES:
        return time_of(session, col(UsageHourRow.hour), group_by)
    return col(UsageHourRow.caller) if group_by == "key" else col(UsageHourRow.value)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    values = [value for value in (filters.model, filters.provider, filters.layer) if value is not None]
    conditions = [col(UsageHourRow.value) == value for value in values]
    return conditions if filters.key is None else [*conditions, col(UsageHourRow.caller) == filters.key]


def _sum_up(session: Session, hour: datetime, by: str, column: Any) -> None:
    value = literal("") if column is None else col(column)
    caller, at = col(UsageRow.caller), col(UsageRow.at)
    moment = literal(hour, UsageHourRow.__table__.c.hour.type)  # type: ignore[attr-defined]
    rows = select(moment, literal(by), value, caller, *sums()).where(at >= hour, at < hour + HOUR)
    rows = rows.group_by(caller) if column is None else rows.group_by(value, caller)
    into = insert(UsageHourRow).from_select(["hour", "by", "value", "caller", *NAMES], rows)
    session.connection().execute(into)


def _next(session: Session, until: datetime | None) -> datetime | None:
    """The next hour that has usage in it."""
    first = select(func.min(col(UsageRow.at)))
    if until is not None:
        first = first.where(col(UsageRow.at) >= until)
    found: datetime | None = session.connection().execute(first).scalar()
    return None if found is None else hour_of(found)


def hour_of(moment: datetime) -> datetime:
    """When the hour began in which that was."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
