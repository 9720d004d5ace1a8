"""Usage by the hour: what happened long enough ago is summed up once, so that a year of it is soon read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Select, delete, exists, func, literal, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from shared.domain.routing import OWN_TAGS
from shared.storage import exclusive, facts, usage_rows
from shared.storage.tables import UsageHourRow, UsageRow
from shared.storage.usage_rows import COLUMNS, TAG, TIMES, Filters, in_order, newest, sums, tag_pairs, time_of

UNTIL = "usage:summed-until"
"""The fact that says which hours are summed up: those before it, an ISO time."""

HOUR = timedelta(hours=1)
PRUNED = "usage:pruned-until"
"""The fact that says before which hour rows are deleted, an ISO time: of those hours only the sums are left."""
SETTLED = timedelta(minutes=15)
"""Rows are written seconds after they happened. Only while the database was away do they come later than this."""
LATE = timedelta(minutes=10)

ALL = "all"
TAGGED = "tags"
"""What the row of an hour is summed up `by` that says that the hour is summed up by tags too: older versions did not."""
BY: dict[str, Any] = {ALL: None, **{name: column for name, column in COLUMNS.items() if name != "key"}}
"""What hours are summed up by, besides by caller and by each tag."""

KEYS = ["hour", "by", "value", "caller"]
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


def add(session: Session, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Insert a batch of usage rows. Hours that are summed up already and that it changes are summed up anew later.

    Where the rows of an hour are deleted already, what comes late is added to its sums.
    """
    earliest = min(row["at"] for row in rows)
    pruned = None if now - earliest < LATE else _make_room(session, earliest)
    late = {hour_of(row["at"]) for row in rows if pruned is not None and row["at"] < pruned}
    last = newest(session) if late else 0
    usage_rows.add(session, rows)
    for hour in late:
        _sum_up_all(session, hour, col(UsageRow.id) > last)


def _make_room(session: Session, earliest: datetime) -> datetime | None:
    exclusive.alone(session, exclusive.USAGE)
    until, pruned = summed_until(session), pruned_until(session)
    hour = hour_of(earliest) if pruned is None else max(hour_of(earliest), pruned)
    if until is not None and hour < until:
        session.connection().execute(delete(UsageHourRow).where(col(UsageHourRow.hour) >= hour))
        facts.write(session, UNTIL, hour.isoformat())
    return pruned


def prune(session: Session, limit: int, *, before: datetime) -> int:
    """Delete up to `limit` rows of hours before that are summed up, the oldest first; returns how many.

    The newest row of all stays: where there is none, SQLite gives ids anew that budgets have counted already.
    """
    pruned = pruned_until(session)
    if pruned is None or pruned < hour_of(before):
        pruned = _let_go(session, pruned, hour_of(before))
    if pruned is None:
        return 0
    at, row = col(UsageRow.at), col(UsageRow.id)
    oldest = select(row).where(at < pruned, row < newest(session)).order_by(at).limit(limit)
    done = session.connection().execute(delete(UsageRow).where(row.in_(oldest)))
    return done.rowcount if isinstance(done, CursorResult) else 0


def _let_go(session: Session, pruned: datetime | None, before: datetime) -> datetime | None:
    """Note up to when rows may be deleted: up to then, or where sums end. Waits for hours that have no sums by tag yet."""
    exclusive.alone(session, exclusive.USAGE)
    until = summed_until(session)
    if until is None or _untagged(session) is not None:
        return pruned
    reached = min(before, until)
    facts.write(session, PRUNED, reached.isoformat())
    return reached


def sum_up(session: Session, *, now: datetime) -> bool:
    """Sum up one more hour that has usage in it. Returns whether there are others left."""
    exclusive.alone(session, exclusive.USAGE)
    settled = hour_of(now - SETTLED)
    until = summed_until(session)
    hour = _next(session, until)
    if hour is not None and hour < settled:
        _sum_up_all(session, hour)
        facts.write(session, UNTIL, (hour + HOUR).isoformat())
        return True
    facts.write(session, UNTIL, max(until or settled, settled).isoformat())
    hour = _untagged(session)
    if hour is not None:
        _sum_up_tags(session, hour)
    return hour is not None


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
        untagged = _untagged(session, first, last)
        first = first if untagged is None else untagged + HOUR
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
        return _with_untagged(found, _without(session, start, end, by, filters))
    return found


def _without(session: Session, start: datetime, end: datetime, by: str, filters: Filters) -> dict[str, Any]:
    """The sums of everything that does not carry a tag; a chat carries it in all of its attempts or in none."""
    (everything,) = _rows(session, _sums(literal(""), start, end, ALL, filters))
    (tagged,) = _rows(session, _sums(literal(""), start, end, by, filters))
    return {"group": "", **{name: everything[name] - tagged[name] for name in NAMES}}


def _with_untagged(found: list[dict[str, Any]], untagged: dict[str, Any]) -> list[dict[str, Any]]:
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


def _sum_up_all(session: Session, hour: datetime, *conditions: ColumnElement[bool]) -> None:
    for by, column in BY.items():
        _sum_up(session, hour, by, column, *conditions)
    _sum_up_tags(session, hour, *conditions)


def _sum_up(session: Session, hour: datetime, by: str, column: Any, *conditions: ColumnElement[bool]) -> None:
    value = literal("") if column is None else col(column)
    caller = col(UsageRow.caller)
    rows = select(_moment(hour), literal(by), value, caller, *sums()).where(*_within(hour), *conditions)
    _insert(session, rows.group_by(caller) if column is None else rows.group_by(value, caller))


def _sum_up_tags(session: Session, hour: datetime, *conditions: ColumnElement[bool]) -> None:
    """Sum up an hour by the values of every tag in it, in one pass, and note that this is done."""
    tag = tag_pairs(session)
    by, caller = literal(TAG).concat(tag.c.key), col(UsageRow.caller)
    rows = select(_moment(hour), by, tag.c.value, caller, *sums()).select_from(UsageRow).join(tag, true())
    _insert(session, rows.where(*_within(hour), *conditions).group_by(by, tag.c.value, caller))
    nothing = [literal(0) for _ in NAMES]
    _insert(session, select(_moment(hour), literal(TAGGED), literal(""), literal(""), *nothing).where(true()))


def _insert(session: Session, rows: Select[Any]) -> None:
    """Add sums to those that are there already."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    into = dialect.insert(UsageHourRow).from_select([*KEYS, *NAMES], rows)
    added = {name: getattr(UsageHourRow, name) + into.excluded[name] for name in NAMES}
    session.connection().execute(into.on_conflict_do_update(index_elements=KEYS, set_=added))


def _moment(hour: datetime) -> Any:
    return literal(hour, UsageHourRow.__table__.c.hour.type)  # type: ignore[attr-defined]


def _within(hour: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(UsageRow.at) >= hour, col(UsageRow.at) < hour + HOUR


def _next(session: Session, until: datetime | None) -> datetime | None:
    """The next hour that has usage in it."""
    first = select(func.min(col(UsageRow.at)))
    if until is not None:
        first = first.where(col(UsageRow.at) >= until)
    found: datetime | None = session.connection().execute(first).scalar()
    return None if found is None else hour_of(found)


MARKER = aliased(UsageHourRow)
UNTAGGED = select(func.max(col(UsageHourRow.hour))).where(
    col(UsageHourRow.by) == ALL,
    ~exists().where(col(MARKER.by) == TAGGED, col(MARKER.hour) == col(UsageHourRow.hour)),
)
"""The newest hour that is summed up, but not by tags; made once, since it leaves a circle of objects behind."""


def _untagged(session: Session, start: datetime | None = None, end: datetime | None = None) -> datetime | None:
    """The newest hour in [start, end) that is summed up, but not by tags."""
    newest = UNTAGGED
    if start is not None:
        newest = newest.where(col(UsageHourRow.hour) >= start)
    if end is not None:
        newest = newest.where(col(UsageHourRow.hour) < end)
    found: datetime | None = session.connection().execute(newest).scalar()
    return found


def _next_hour(moment: datetime) -> datetime:
    return hour_of(moment + HOUR - timedelta(microseconds=1))


def hour_of(moment: datetime) -> datetime:
    """When the hour began in which that was."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
