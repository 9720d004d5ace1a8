"""Single named values, and the version counters by which processes notice each other's changes."""

from typing import Any

from sqlmodel import Session, select

from shared.storage.tables import FactRow


def read(session: Session, name: str, default: Any = None) -> Any:
    """The value of a fact."""
    row = session.get(FactRow, name)
    return default if row is None else row.value


def write(session: Session, name: str, value: Any) -> None:
    """Set a fact."""
    session.merge(FactRow(name=name, value=value))


def next_version(session: Session, name: str) -> int:
    """Raise a version counter; whoever does so holds its row until the transaction ends, so writers queue."""
    row = session.exec(select(FactRow).where(FactRow.name == name).with_for_update()).first() or FactRow(
        name=name, value=0
    )
    row.value = int(row.value) + 1
    session.add(row)
    return int(row.value)
