"""Commands that wait for leave, each a fact of its own, so that every process sees them."""

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, col, select

from shared.storage.tables import FactRow

PREFIX = "approval:"


def every(session: Session) -> Iterable[dict[str, Any]]:
    """All of them."""
    rows = session.exec(select(FactRow).where(col(FactRow.name).startswith(PREFIX)))
    return [dict(row.value) for row in rows]


def find(session: Session, approval_id: str, *, hold: bool) -> dict[str, Any] | None:
    """One of them, held until the transaction ends where somebody is about to change it."""
    wanted = select(FactRow).where(FactRow.name == PREFIX + approval_id)
    row = session.exec(wanted.with_for_update() if hold else wanted).first()
    return None if row is None else dict(row.value)


def save(session: Session, approval_id: str, value: dict[str, Any]) -> None:
    """Put one in, or change it."""
    session.merge(FactRow(name=PREFIX + approval_id, value=value))


def delete(session: Session, approval_id: str) -> None:
    """Forget one."""
    row = session.get(FactRow, PREFIX + approval_id)
    if row is not None:
        session.delete(row)
