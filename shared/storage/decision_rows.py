"""Decisions: written packed and in batches, looked up by request, read newest first, deleted by age and number.

Older versions wrote another table, whose rows are read after those of this one until they are too old.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, delete
from sqlmodel import Session, col, select

from shared.storage import bulk, json_text
from shared.storage.packing import packed, unpacked
from shared.storage.tables import DecisionLogRow, DecisionRow

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
COUNTED = 12
"""Bits of an id that tell decisions of one microsecond apart; those before them count microseconds, until 2091."""
OLDER = -(1 << 62)
"""Added to the ids of the older table, which puts all of them before those of this one."""
LOOKED_AT = 100
"""Decisions on requests of one id that are looked through, the newest, where ids are no id."""


class Stored(NamedTuple):
    """One decision; a larger `id` is a newer one."""

    id: int
    at: datetime
    request_id: str
    caller: str
    trace_id: str
    data: Mapping[str, Any]
    score: float | None
    text: str | None


def id_of(at: datetime, number: int) -> int:
    """The id of a decision that was made then, the `number`th or so of its process."""
    return ((at - EPOCH) // MICROSECOND << COUNTED) | number % (1 << COUNTED)


def row_of(at: datetime, number: int, *, request_id: str, caller: str, trace_id: str, data: str) -> dict[str, Any]:
    """A row without a vote and text, `data` being JSON. An id is once in some millions that of another process's decision."""
    texts = [json_text.dumps(each) for each in (request_id, caller, trace_id)]
    text = '{{"r":{},"c":{},"t":{},"d":{}}}'.format(*texts, data)
    return {"id": id_of(at, number), "key": _key(request_id, caller), "packed": packed(text.encode())}


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert a batch, but for rows whose id is stored already."""
    bulk.add(session, DecisionLogRow.__table__, rows)  # type: ignore[attr-defined]


def newest(session: Session, request_id: str, *, caller: str | None = None) -> Stored | None:
    """The last decision on a request, of that caller where one is named."""
    found = next(_of_request(session, request_id, caller), None)
    if found is not None:
        return _stored(found)
    older = _older(session, request_id, caller)
    return None if older is None else _stored_older(older)


def vote(session: Session, *, caller: str, request_id: str, score: float) -> tuple[Stored, float | None] | None:
    """Write a vote into the last decision on a caller's request; the decision and the vote before, None where there is none."""
    row: DecisionLogRow | DecisionRow | None = next(_of_request(session, request_id, caller, lock=True), None)
    row = row or _older(session, request_id, caller, lock=True)
    if row is None:
        return None
    before, row.score = row.score, score
    session.add(row)
    return _stored(row) if isinstance(row, DecisionLogRow) else _stored_older(row), before


def page(session: Session, *, start: datetime, end: datetime, before: int | None, limit: int) -> Sequence[Stored]:
    """Decisions in [start, end), newest first, those before an id."""
    newer: Sequence[DecisionLogRow] = ()
    if before is None or before > 0:
        row = col(DecisionLogRow.id)
        found = select(DecisionLogRow).where(row >= id_of(max(start, EPOCH), 0), row < id_of(end, 0))
        found = found if before is None else found.where(row < before)
        newer = session.exec(found.order_by(row.desc()).limit(limit)).all()
        before = None
    at, place = col(DecisionRow.at), col(DecisionRow.id)
    more = select(DecisionRow).where(at >= start, at < end)
    more = more if before is None else more.where(place < before - OLDER)
    older = session.exec(more.order_by(place.desc()).limit(limit - len(newer))) if len(newer) < limit else ()
    return [*map(_stored, newer), *map(_stored_older, older)]


def prune(session: Session, before: datetime, *, limit: int, through: int = 0) -> int:
    """Delete up to `limit` decisions that are older, or whose id is `through` or less, the oldest first; returns how many."""
    at = col(DecisionRow.at)
    older = select(DecisionRow.id).where(at < before).order_by(at).limit(limit)
    done = _deleted(session, delete(DecisionRow).where(col(DecisionRow.id).in_(older)))
    if done:
        return done
    row = col(DecisionLogRow.id)
    oldest = select(row).where(row < max(id_of(before, 0), through + 1)).order_by(row).limit(limit)
    return _deleted(session, delete(DecisionLogRow).where(row.in_(oldest)))


def beyond(session: Session, most: int) -> int:
    """The id of the newest decision that is one too many; 0 where there are not so many."""
    row = col(DecisionLogRow.id)
    return session.exec(select(row).order_by(row.desc()).offset(most).limit(1)).first() or 0


def _deleted(session: Session, statement: Any) -> int:
    done = session.connection().execute(statement)
    return done.rowcount if isinstance(done, CursorResult) else 0


def _key(request_id: str, caller: str) -> int:
    """The request's hash in the upper half, the caller's in the lower one."""
    return (_hash(request_id, signed=True) << 32) | _hash(caller)


def _hash(text: str, *, signed: bool = False) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big", signed=signed)


def _of_request(
    session: Session, request_id: str, caller: str | None, *, lock: bool = False
) -> Iterator[DecisionLogRow]:
    """Decisions on a request, newest first; other texts may have the same hash."""
    key = col(DecisionLogRow.key)
    first = _hash(request_id, signed=True) << 32
    wanted = key.between(first, first | 0xFFFFFFFF) if caller is None else key == _key(request_id, caller)
    found = select(DecisionLogRow).where(wanted).order_by(col(DecisionLogRow.id).desc()).limit(LOOKED_AT)
    for row in session.exec(found.with_for_update() if lock else found).all():
        stored = _stored(row)
        if stored.request_id == request_id and caller in (None, stored.caller):
            yield row


def _older(session: Session, request_id: str, caller: str | None, *, lock: bool = False) -> DecisionRow | None:
    found = select(DecisionRow).where(DecisionRow.request_id == request_id)
    if caller is not None:
        found = found.where(DecisionRow.caller == caller)
    found = found.order_by(col(DecisionRow.id).desc()).limit(1)
    return session.exec(found.with_for_update() if lock else found).first()


def _stored(row: DecisionLogRow) -> Stored:
    told = json.loads(unpacked(row.packed))
    at = EPOCH + (row.id >> COUNTED) * MICROSECOND
    return Stored(row.id, at, told["r"], told["c"], told["t"], told["d"], row.score, row.text)


def _stored_older(row: DecisionRow) -> Stored:
    place = OLDER + (row.id or 0)
    return Stored(place, row.at, row.request_id, row.caller, row.trace_id, row.data, row.score, row.text)
