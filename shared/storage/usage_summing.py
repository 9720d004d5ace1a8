"""Writes usage: rows as they come, the sums of hours that are past, and what deletes rows that have sums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import CursorResult, RowMapping, Select, delete, func, literal, select, true, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from shared.storage import bulk, exclusive, facts, usage_rows
from shared.storage.database import Database
from shared.storage.tables import UsageHourRow, UsageRow
from shared.storage.usage_hours import (
    ALL,
    HOUR,
    NAMES,
    PRUNED,
    TAGGED,
    UNTIL,
    hour_of,
    pruned_until,
    summed_until,
    untagged,
)
from shared.storage.usage_rows import COLUMNS, TAG, newest, sums, tag_pairs

SETTLED = timedelta(minutes=15)
"""Rows are written seconds after they happened. Only while the database was away do they come later than this."""
LATE = timedelta(minutes=10)
TURN = "usage:summing"
"""The fact that says who sums up which hour."""
AT_ONCE = 500
"""Sums that one transaction writes or deletes; SQLite keeps other writers waiting for that long."""
MOST_SECONDS = 600.0
"""For reading the rows of an hour by one thing, which keeps nobody waiting."""

BY: dict[str, Any] = {ALL: None, **{name: column for name, column in COLUMNS.items() if name != "key"}}
"""What hours are summed up by, besides by caller and by each tag."""
TABLE = UsageHourRow.__table__  # type: ignore[attr-defined]
KEYS = ["hour", "by", "value", "caller"]


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
        for by in (*BY, TAG):
            _insert(session, _sums_of(session, hour, by).where(col(UsageRow.id) > last))


def _make_room(session: Session, earliest: datetime) -> datetime | None:
    """Sums from the hour of `earliest` on count no more, and whoever is summing up that hour or a later one begins anew."""
    exclusive.alone(session, exclusive.USAGE)
    until, pruned = summed_until(session), pruned_until(session)
    hour = hour_of(earliest) if pruned is None else max(hour_of(earliest), pruned)
    if until is not None and hour < until:
        facts.write(session, UNTIL, hour.isoformat())
    turn = facts.read(session, TURN)
    if turn is not None and hour <= datetime.fromisoformat(turn["hour"]):
        facts.write(session, TURN, None)
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
    if until is None or untagged(session, end=until) is not None:
        return pruned
    reached = min(before, until)
    facts.write(session, PRUNED, reached.isoformat())
    return reached


@dataclass(frozen=True, slots=True)
class Work:
    """An hour to be summed up, by what, and up to when hours were summed up when that began."""

    hour: datetime
    by: Sequence[str]
    until: datetime | None


class Summing:
    """Sums up past hours, one process at a time.

    Rows are read without a lock, by one thing after the other, and the sums are written in transactions of a bounded size:
    before the last of them, which moves `UNTIL`, nobody reads them. What another process does to the hour meanwhile
    takes the turn away, and the hour is begun anew.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._turn = exclusive.Turn(TURN, exclusive.USAGE, clock)

    async def one_hour(self) -> bool:
        """Sum up one more hour that has usage in it. Returns whether there may be others left. Raises Unavailable."""
        work = await self._database.run(self._begun)
        if work is None:
            return False
        try:
            deleted = AT_ONCE
            while deleted == AT_ONCE:
                deleted = await self._database.run(partial(self._cleared, work))
            for by in work.by:
                await self._database.report(partial(self._read, work, by), seconds=MOST_SECONDS)
            await self._database.run(partial(self._finished, work))
        finally:  # also when the gateway stops
            await self._database.run(self._turn.leave)
        return True

    def _begun(self, session: Session) -> Work | None:
        if not self._turn.is_free(session):
            return None
        settled = hour_of(self._clock() - SETTLED)
        until = summed_until(session)
        hour, by = _next(session, until), (*BY, TAG)
        if hour is None or hour >= settled:
            until = max(until or settled, settled)
            facts.write(session, UNTIL, until.isoformat())
            hour, by = untagged(session, end=until), (TAG,)
        if hour is None:
            return None
        self._turn.take(session, hour=hour.isoformat())
        return Work(hour, by, until)

    def _goes_on(self, session: Session, work: Work) -> bool:
        """Keep the turn. An older version takes none: sums that it added to these are made anew."""
        if not self._turn.keep(session):
            return False
        until = summed_until(session)
        if until != work.until:
            facts.write(session, UNTIL, min(work.hour, until or work.hour).isoformat())
            self._turn.leave(session)
        return until == work.until

    def _cleared(self, work: Work, session: Session) -> int:
        """Delete sums that are out of date, or of a process that was killed on its way; returns how many."""
        if not self._goes_on(session, work):
            return 0
        old = select(*(TABLE.c[name] for name in KEYS)).where(TABLE.c.hour == work.hour)
        if ALL not in work.by:
            old = old.where(TABLE.c.by.startswith(TAG))
        keys = tuple_(*(TABLE.c[name] for name in KEYS))
        done = session.connection().execute(delete(TABLE).where(keys.in_(old.limit(AT_ONCE))))
        return done.rowcount

    def _read(self, work: Work, by: str, session: Session) -> None:
        """Read the sums by one thing, in a transaction that only reads, and write them as they come."""
        rows = _sums_of(session, work.hour, by).execution_options(yield_per=AT_ONCE)
        with session.connection().execute(rows) as found:
            for part in found.mappings().partitions():
                if not self._database.run_sync(partial(self._written, work, part)):
                    return

    def _written(self, work: Work, part: Sequence[RowMapping], session: Session) -> bool:
        goes_on = self._goes_on(session, work)
        if goes_on:
            bulk.add(session, TABLE, [dict(row) for row in part])
        return goes_on

    def _finished(self, work: Work, session: Session) -> None:
        if not self._goes_on(session, work):
            return
        marker = {"hour": work.hour, "by": TAGGED, "value": "", "caller": "", **dict.fromkeys(NAMES, 0)}
        bulk.add(session, TABLE, [marker])
        if ALL in work.by:
            facts.write(session, UNTIL, (work.hour + HOUR).isoformat())


def _sums_of(session: Session, hour: datetime, by: str) -> Select[Any]:
    """The sums of an hour's rows, as the table takes them: by one thing, or by the values of every tag."""
    caller: Any = col(UsageRow.caller).label("caller")
    moment = literal(hour, TABLE.c.hour.type).label("hour")
    within = col(UsageRow.at) >= hour, col(UsageRow.at) < hour + HOUR
    if by == TAG:
        tag = tag_pairs(session)
        name, value = literal(TAG).concat(tag.c.key).label("by"), tag.c.value.label("value")
        rows = select(moment, name, value, caller, *sums()).select_from(UsageRow).join(tag, true()).where(*within)
        return rows.group_by(name, value, caller)
    group: list[Any] = [] if BY[by] is None else [col(BY[by])]
    value = (group or [literal("")])[0].label("value")
    return select(moment, literal(by).label("by"), value, caller, *sums()).where(*within).group_by(*group, caller)


def _insert(session: Session, rows: Select[Any]) -> None:
    """Add sums to those that are there already."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    into = dialect.insert(UsageHourRow).from_select([*KEYS, *NAMES], rows)
    added = {name: getattr(UsageHourRow, name) + into.excluded[name] for name in NAMES}
    session.connection().execute(into.on_conflict_do_update(index_elements=KEYS, set_=added))


def _next(session: Session, until: datetime | None) -> datetime | None:
    """The next hour that has usage in it."""
    first = select(func.min(col(UsageRow.at)))
    if until is not None:
        first = first.where(col(UsageRow.at) >= until)
    found: datetime | None = session.connection().execute(first).scalar()
    return None if found is None else hour_of(found)
