"""Tables that are held in memory and read again after a change: only rows that differ are made into values again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlmodel import Session, col, select

from shared.storage import readable

SINGLY = 500
"""Up to so many rows are asked for by their ids; more are found among all."""


class Kept(Protocol):
    """A row with an id, of which the oldest comes first."""

    id: str


Row = TypeVar("Row", bound=Kept)
Value = TypeVar("Value")
Known = Mapping[str, tuple[int, Value]]
"""Values by the ids of their rows, oldest first, each with a hash of what its row says."""


def read(
    session: Session,
    kind: readable.Kind,
    table: type[Row],
    columns: Sequence[Any],
    value: Callable[[Row], Value],
    *,
    known: Known[Value],
) -> dict[str, tuple[int, Value]]:
    """The values of all rows that can be read. A row is the same as in `known` when its `columns` are."""
    name = col(table.id)
    order = (col(table.created_at), name)  # type: ignore[attr-defined]
    found = session.connection().execute(select(name, *columns).order_by(*order))
    marks = {row[0]: hash(tuple(row)) for row in found}
    changed = [one for one, mark in marks.items() if one not in known or known[one][0] != mark]
    pairs = readable.readable(
        session, kind, _rows(session, table, changed), lambda row: (row.id, value(row)), name=lambda row: row.id
    )
    fresh = dict(pairs)
    stale = set(changed) - fresh.keys()
    return {one: (mark, fresh[one]) if one in fresh else known[one] for one, mark in marks.items() if one not in stale}


def _rows(session: Session, table: type[Row], wanted: Sequence[str]) -> Iterable[Row]:
    if not wanted:
        return ()
    if len(wanted) <= SINGLY:
        return session.exec(select(table).where(col(table.id).in_(wanted)))
    among = set(wanted)
    return (row for row in session.exec(select(table)) if row.id in among)
