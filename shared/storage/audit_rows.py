"""Rows of the audit trail: appended one after the other, never changed, the oldest deleted under a checkpoint."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, update
from sqlmodel import Session, col, func, select

from shared.domain.audit import CHAT, AuditEntry, AuditQuery
from shared.storage import exclusive, facts, json_text
from shared.storage.packing import packed, unpacked
from shared.storage.tables import AuditRow, FactRow

HEAD = "audit_head"
CHECKPOINT = "audit_checkpoint"
SEAL = "seal"
"""The part of a stored checkpoint that is its signature."""

_LAST = select(func.max(AuditRow.sequence))
_ADD = insert(AuditRow)
_HEAD = select(FactRow.value).where(col(FactRow.name) == HEAD)
_MOVE_HEAD = update(FactRow).where(col(FactRow.name) == HEAD).values(value=bindparam("head"))


class Page(NamedTuple):
    """Some entries, number and hash of the newest of all, and the checkpoint of deleted ones as it is stored."""

    head: tuple[int, str]
    checkpoint: Mapping[str, Any] | None
    entries: Sequence[AuditEntry]


class Queued(NamedTuple):
    """An entry without its place in the chain, under the id that it got when it was queued."""

    row_id: int
    entry: AuditEntry


def append(
    session: Session, entries: Sequence[Queued], link: Callable[[AuditEntry], str], *, again: bool = False
) -> None:
    """Give each entry its place in the chain. The head is kept apart, so that a cut-off tail shows too. With `again` some
    may be there already, and are skipped.

    By plain statements: every command waits for this, and rows as objects take three times as long.
    """
    exclusive.alone(session, exclusive.AUDIT)
    connection = session.connection()
    sequence, previous = _head(session)
    sequence = max(sequence, connection.execute(_LAST).scalar() or 0)
    known = stored(session, [row_id for row_id, _ in entries]) if again else ()
    rows = []
    for row_id, entry in entries:
        if row_id in known:
            continue
        sequence += 1
        placed = entry.model_copy(update={"sequence": sequence, "previous_hash": previous})
        previous = link(placed)
        rows.append(_row(placed.model_copy(update={"hash": previous}), row_id))
    if not rows:
        return
    connection.execute(_ADD, rows)
    head = {"sequence": sequence, "hash": previous}
    if not connection.execute(_MOVE_HEAD, {"head": head}).rowcount:
        connection.execute(insert(FactRow), {"name": HEAD, "value": head})


def stored(session: Session, row_ids: Collection[int]) -> Collection[int]:
    """Those of the ids whose entries are there."""
    found = select(col(AuditRow.row_id)).where(col(AuditRow.row_id).in_(row_ids))
    return {row_id for row_id in session.exec(found) if row_id is not None}


def page(session: Session, after: int, limit: int) -> Page:
    """The newest entry, the checkpoint, and up to `limit` entries that follow `after`, oldest first.

    The head comes first: entries that are missing after it were not merely not there yet.
    """
    newest, checkpoint = _head(session), facts.read(session, CHECKPOINT)
    found = select(AuditRow).where(col(AuditRow.sequence) > after).order_by(col(AuditRow.sequence)).limit(limit)
    return Page(newest, checkpoint, [_entry(row) for row in session.exec(found)] if limit else ())


def is_older(session: Session, sequence: int, before: datetime) -> bool:
    """Whether there is an entry of that number, and it is older."""
    at = session.connection().execute(select(AuditRow.at).where(col(AuditRow.sequence) == sequence)).scalar()
    return at is not None and at < before


def cut(session: Session, through: int, checkpoint: Callable[[], dict[str, Any]]) -> None:
    """Delete entries up to that number, and store the checkpoint that stands for them, with its `seal`."""
    exclusive.alone(session, exclusive.SEALED)
    facts.write(session, CHECKPOINT, checkpoint())
    session.connection().execute(delete(AuditRow).where(col(AuditRow.sequence) <= through))


def search(session: Session, query: AuditQuery) -> Sequence[AuditEntry]:
    """The entries asked for, newest first, and one more when there are more."""
    found = select(AuditRow).order_by(col(AuditRow.sequence).desc()).limit(query.limit + 1)
    for column, wanted in (
        (col(AuditRow.action), query.action),
        (col(AuditRow.caller), query.caller),
        (col(AuditRow.outcome), query.outcome),
        (col(AuditRow.request_id), query.request_id),
        (col(AuditRow.trace_id), query.trace_id),
        (col(AuditRow.cause_request_id), query.cause_request_id),
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


def story(session: Session, trace_id: str, *, caller: str | None, limit: int) -> Sequence[AuditEntry]:
    """The entries of a trace, the chats that led to them and what those chats led to, oldest first, at most `limit`.

    A caller sees only its own.
    """
    found: dict[int, AuditEntry] = {}
    wanted = [col(AuditRow.trace_id) == trace_id]
    while wanted and len(found) < limit:
        rows = select(AuditRow).where(or_(*wanted), col(AuditRow.sequence).not_in(list(found)))
        if caller is not None:
            rows = rows.where(col(AuditRow.caller) == caller)
        fresh = [_entry(row) for row in session.exec(rows.order_by(col(AuditRow.sequence)).limit(limit - len(found)))]
        found |= {entry.sequence: entry for entry in fresh}
        wanted = _linked(fresh)
    return [found[sequence] for sequence in sorted(found)]


def _linked(entries: Sequence[AuditEntry]) -> list[ColumnElement[bool]]:
    """What is one step away from these entries, before them and after them."""
    chat = col(AuditRow.action) == CHAT
    before = [
        and_(chat, col(AuditRow.request_id) == entry.cause_request_id, col(AuditRow.caller) == entry.caller)
        for entry in entries
        if entry.cause_request_id
    ]
    after = [
        and_(col(AuditRow.cause_request_id) == entry.request_id, col(AuditRow.caller) == entry.caller)
        for entry in entries
        if entry.action == CHAT
    ]
    return before + after


def _head(session: Session) -> tuple[int, str]:
    value = session.connection().execute(_HEAD).scalar() or {"sequence": 0, "hash": ""}
    return int(value["sequence"]), str(value["hash"])


def _row(entry: AuditEntry, row_id: int) -> dict[str, Any]:
    """The row of an entry: what is not searched for is packed, in a third of the space."""
    told = {"h": entry.hash, "p": entry.previous_hash, "d": entry.details}
    plain = entry.model_dump(by_alias=False, exclude={"hash", "previous_hash", "details"})
    left = {"hash": "", "previous_hash": "", "details": {}}
    return {**plain, **left, "packed": packed(json_text.dumps(told).encode()), "row_id": row_id}


def _entry(row: AuditRow) -> AuditEntry:
    """The entry of a row; older versions packed nothing. What stands in a column counts, so that a change there shows."""
    told = json.loads(unpacked(row.packed)) if row.packed else {"h": "", "p": "", "d": {}}
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        caller=row.caller,
        address=row.address,
        request_id=row.request_id,
        action=row.action,
        outcome=row.outcome,
        details=row.details or told["d"],
        trace_id=row.trace_id,
        cause_request_id=row.cause_request_id,
        previous_hash=row.previous_hash or told["p"],
        hash=row.hash or told["h"],
    )
