"""Rows of the audit trail: appended one after the other, never changed."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, col, func, select

from shared.domain.audit import AuditEntry, AuditQuery
from shared.storage import exclusive
from shared.storage.tables import AuditRow, FactRow

HEAD = "audit_head"

_LAST = select(func.max(AuditRow.sequence))
_ADD = insert(AuditRow)
_HEAD = select(FactRow.value).where(col(FactRow.name) == HEAD)
_MOVE_HEAD = update(FactRow).where(col(FactRow.name) == HEAD).values(value=bindparam("head"))


def append(session: Session, entries: Iterable[AuditEntry], link: Callable[[AuditEntry], str]) -> None:
    """Give each entry its place in the chain. The head is kept apart, so that a cut-off tail shows too.

    By plain statements: every command waits for this, and rows as objects take three times as long.
    """
    exclusive.alone(session, exclusive.AUDIT)
    connection = session.connection()
    sequence, previous = _head(session)
    sequence = max(sequence, connection.execute(_LAST).scalar() or 0)
    rows = []
    for entry in entries:
        sequence += 1
        placed = entry.model_copy(update={"sequence": sequence, "previous_hash": previous})
        previous = link(placed)
        rows.append({**placed.model_dump(by_alias=False), "hash": previous})
    connection.execute(_ADD, rows)
    head = {"sequence": sequence, "hash": previous}
    if not connection.execute(_MOVE_HEAD, {"head": head}).rowcount:
        connection.execute(insert(FactRow), {"name": HEAD, "value": head})


def page(session: Session, after: int, limit: int) -> tuple[tuple[int, str], Sequence[AuditEntry]]:
    """Sequence number and hash of the newest entry, and up to `limit` entries that follow `after`, oldest first.

    The head comes first: entries that are missing after it were not merely not there yet.
    """
    newest = _head(session)
    found = select(AuditRow).where(col(AuditRow.sequence) > after).order_by(col(AuditRow.sequence)).limit(limit)
    return newest, [_entry(row) for row in session.exec(found)]


def search(session: Session, query: AuditQuery) -> Sequence[AuditEntry]:
    """The entries asked for, newest first, and one more when there are more."""
    found = select(AuditRow).order_by(col(AuditRow.sequence).desc()).limit(query.limit + 1)
    for column, wanted in (
        (col(AuditRow.action), query.action),
        (col(AuditRow.caller), query.caller),
        (col(AuditRow.outcome), query.outcome),
        (col(AuditRow.request_id), query.request_id),
        (col(AuditRow.trace_id), query.trace_id),
    ):
        if wanted is not None:
            found = found.where(column == wanted)
    if query.start is not None:
        found = found.where(col(AuditRow.at) >= query.start)
    if query.end is not None:
        found = found.where(col(AuditRow.at) < query.end)
    if query.cursor is not None:
        found = found.where(col(AuditRow.sequence) < query.cursor)
    return [_entry(row) for row in session.exec(found)]


def _head(session: Session) -> tuple[int, str]:
    value = session.connection().execute(_HEAD).scalar() or {"sequence": 0, "hash": ""}
    return int(value["sequence"]), str(value["hash"])


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        caller=row.caller,
        address=row.address,
        request_id=row.request_id,
        action=row.action,
        outcome=row.outcome,
        details=row.details,
        trace_id=row.trace_id,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
