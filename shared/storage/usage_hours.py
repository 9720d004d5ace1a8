"""Usage by the hour: what happened long enough ago is summed up once, so that a year of it is soon read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from shared.domain.routing import OWN_TAGS
from shared.storage import facts
from shared.storage.tables import UsageHourRow
from shared.storage.usage_rows import TAG, TIMES, Filters, in_order, sums, time_of

UNTIL = "usage:summed-until"
"""The fact that says which hours are summed up: those before it, an ISO time."""

HOUR = timedelta(hours=1)
PRUNED = "usage:pruned-until"
"""The fact that says before which hour rows are deleted, an ISO time: of those hours only the sums are left."""
ALL = "all"
TAGGED = "tags"
"""What the row of an hour is summed up `by` that says that the hour is summed up by tags too: older versions did not."""

NAMES = [expression.name for expression in sums()]


def summed_until(session: Session) -> datetime | None:
    """The hour from which on rows are not summed up yet; None while none are."""
    return _moment_of(session, UNTIL)


def pruned_until(session: Session) -> datetime | None:
    """The hour before which only sums are left; None where no row was ever deleted."""
    return _moment_of(session, PRUNED)


def _moment_of(session: Session, fact: str) -> datetime | None:
    value = facts.read(session, fact)
    return None if value is None else datetime.fromisoformat(value)


def by_of(group_by: str | None, filters: Filters) -> str | None:
    """By what hours must be summed up to answer this; None when they cannot.

    A tag of the gateway's own may be on one attempt at a chat and not on another, so the chats without it are not known.
    """
    wanted = {name for name in ("model", "provider", "layer") if getattr(filters, name) is not None}
    if filters.tag is not None:
        wanted.add(TAG + filters.tag[0])
    if group_by is not None and group_by not in (*TIMES, "key"):
        if group_by.startswith(TAG + OWN_TAGS):
            return None
        wanted.add(group_by)
    if len(wanted) > 1:
        return None
    return wanted.pop() if wanted else ALL


def covered(session: Session, start: datetime, end: datetime, by: str) -> tuple[datetime, datetime] | None:
    """The whole hours inside [start, end) that are summed up by that; None when none are."""
    until = summed_until(session)
    first, last = _next_hour(start), end if until is None else min(until, hour_of(end))
    if until is None or first >= last:
        return None
    if by.startswith(TAG):
        without = untagged(session, start=first, end=last)
        first = first if without is None else without + HOUR
    return (first, last) if first < last else None


def summed(
    session: Session,
    start: datetime,
    end: datetime,
    group_by: str | None,
    *,
    filters: Filters,
    limit: int | None,
) -> list[dict[str, Any]]:
    """As `usage_rows.summed`, over whole hours that are `covered`, where `by_of` says how."""
    by = by_of(group_by, filters) or ALL
    group = literal("total") if group_by is None else in_order(session, _group(session, group_by))
    statement = _sums(group, start, end, by, filters)
    if group_by is not None:
        statement = statement.group_by("group").order_by("group").limit(limit)
    found = _rows(session, statement)
    if group_by is not None and group_by.startswith(TAG) and filters.tag is None:
        return _withuntagged(found, _without(session, start, end, by, filters))
    return found


def _without(session: Session, start: datetime, end: datetime, by: str, filters: Filters) -> dict[str, Any]:
    """The sums of everything that does not carry a tag; a chat carries it in all of its attempts or in none."""
    (everything,) = _rows(session, _sums(literal(""), start, end, ALL, filters))
    (tagged,) = _rows(session, _sums(literal(""), start, end, by, filters))
    return {"group": "", **{name: everything[name] - tagged[name] for name in NAMES}}


def _withuntagged(found: list[dict[str, Any]], untagged: dict[str, Any]) -> list[dict[str, Any]]:
    """The groups with what carries no tag in that of the empty value, which is the first in order."""
    if not untagged["attempts"]:
        return found
    if found and found[0]["group"] == "":
        return [{"group": "", **{name: found[0][name] + untagged[name] for name in NAMES}}, *found[1:]]
    return [untagged, *found]


def _sums(group: Any, start: datetime, end: datetime, by: str, filters: Filters) -> Select[Any]:
    columns = [func.coalesce(func.sum(getattr(UsageHourRow, name)), 0).label(name) for name in NAMES]
    return select(group.label("group"), *columns).where(
        col(UsageHourRow.by) == by,
        col(UsageHourRow.hour) >= start,
        col(UsageHourRow.hour) < end,
        *_conditions(filters),
    )


def _rows(session: Session, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in session.connection().execute(statement).mappings()]


def _group(session: Session, group_by: str) -> Any:
    if group_by in TIMES:
        return time_of(session, col(UsageHourRow.hour), group_by)
    return col(UsageHourRow.caller) if group_by == "key" else col(UsageHourRow.value)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    tag = None if filters.tag is None else filters.tag[1]
    values = [value for value in (filters.model, filters.provider, filters.layer, tag) if value is not None]
    conditions = [col(UsageHourRow.value) == value for value in values]
    return conditions if filters.key is None else [*conditions, col(UsageHourRow.caller) == filters.key]


MARKER = aliased(UsageHourRow)
UNTAGGED = select(func.max(col(UsageHourRow.hour))).where(
    col(UsageHourRow.by) == ALL,
    ~exists().where(col(MARKER.by) == TAGGED, col(MARKER.hour) == col(UsageHourRow.hour)),
)
"""The newest hour that is summed up, but not by tags; made once, since it leaves a circle of objects behind."""


def untagged(session: Session, *, start: datetime | None = None, end: datetime) -> datetime | None:
    """The newest hour in [start, end) that is summed up, but not by tags."""
    newest = UNTAGGED.where(col(UsageHourRow.hour) < end)
    if start is not None:
        newest = newest.where(col(UsageHourRow.hour) >= start)
    found: datetime | None = session.connection().execute(newest).scalar()
    return found


def _next_hour(moment: datetime) -> datetime:
    return hour_of(moment + HOUR - timedelta(microseconds=1))


def hour_of(moment: datetime) -> datetime:
    """When the hour began in which that was."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
