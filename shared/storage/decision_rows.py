"""Decision rows: written in batches, looked up by request, read newest first, forgotten after some days."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, delete
from sqlmodel import Session, col, select

from shared.storage import bulk
from shared.storage.tables import DecisionRow


class Stored(NamedTuple):
    """One decision."""

    id: int
    at: datetime
    request_id: str
    data: Mapping[str, Any]


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert a batch, but for rows whose `at` and `row_id` are stored already."""
    bulk.add(session, DecisionRow.__table__, rows)  # type: ignore[attr-defined]


def newest(session: Session, request_id: str, *, caller: str | None = None) -> DecisionRow | None:
    """The last decision on a request, of that caller where one is named."""
    found = select(DecisionRow).where(DecisionRow.request_id == request_id)
    if caller is not None:
        found = found.where(DecisionRow.caller == caller)
    return session.exec(found.order_by(col(DecisionRow.id).desc()).limit(1)).first()


def page(session: Session, *, start: datetime, end: datetime, before: int | None, limit: int) -> Sequence[Stored]:
    """Decisions in [start, end), newest first, those before an id."""
    row = DecisionRow
    found = select(row.id, row.at, row.request_id, row.data).where(col(row.at) >= start, col(row.at) < end)
    if before is not None:
        found = found.where(col(row.id) < before)
    rows = session.connection().execute(found.order_by(col(row.id).desc()).limit(limit))
    return [Stored(*row) for row in rows]


def prune(session: Session, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` of the decisions that are older, the oldest first; returns how many."""
    oldest = select(DecisionRow.id).where(col(DecisionRow.at) < before).order_by(col(DecisionRow.at)).limit(limit)
    done = session.connection().execute(delete(DecisionRow).where(col(DecisionRow.id).in_(oldest)))
    return done.rowcount if isinstance(done, CursorResult) else 0
