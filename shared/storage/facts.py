"""Single named values, and the version counters by which processes notice each other's changes."""

from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from shared.storage.tables import FactRow

CHANNEL = "mcp_gateway_changes"
"""Of PostgreSQL's notifications; each database has its own."""
VERSION = "_version"
"""How the names of version counters end."""


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
    notify(session, name)
    return int(row.value)


def versions(session: Session) -> dict[str, Any]:
    """Every version counter by name, in one statement."""
    found = session.connection().execute(
        select(FactRow.name, FactRow.value).where(col(FactRow.name).endswith(VERSION, autoescape=True))
    )
    return {str(name): value for name, value in found}


def notify(session: Session, payload: str) -> None:
    """Tell the processes that listen, once the transaction is committed; nothing on SQLite."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, payload)))
