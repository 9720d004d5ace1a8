"""Rows of saved terminal connections, each seen by its owner only."""

from sqlmodel import Session, col, func, select

from shared.storage.tables import ConnectionRow


def of_owner(session: Session, owner: str) -> list[ConnectionRow]:
    """The owner's connections, by name."""
    statement = select(ConnectionRow).where(ConnectionRow.owner == owner)
    return list(session.exec(statement.order_by(col(ConnectionRow.name), col(ConnectionRow.id))))


def count(session: Session, owner: str) -> int:
    """How many the owner has."""
    return session.exec(select(func.count()).select_from(ConnectionRow).where(ConnectionRow.owner == owner)).one()


def find(session: Session, owner: str, connection_id: str) -> ConnectionRow | None:
    """One of the owner's connections by id."""
    row = session.get(ConnectionRow, connection_id)
    return row if row is not None and row.owner == owner else None


def named(session: Session, owner: str, name: str) -> ConnectionRow | None:
    """One of the owner's connections by name."""
    return session.exec(select(ConnectionRow).where(ConnectionRow.owner == owner, ConnectionRow.name == name)).first()


def save(session: Session, row: ConnectionRow) -> None:
    """Write a new or changed one."""
    session.add(row)


def delete(session: Session, owner: str, connection_id: str) -> bool:
    """Take one of the owner's away; false when there is none of that id."""
    row = find(session, owner, connection_id)
    if row is None:
        return False
    session.delete(row)
    return True
