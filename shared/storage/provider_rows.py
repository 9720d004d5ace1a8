"""Provider rows: what operators set beyond the settings, keys sealed."""

from sqlmodel import Session, select

from shared.storage import facts
from shared.storage.tables import ProviderRow

VERSION = "providers_version"


def load(session: Session) -> tuple[int, list[ProviderRow]]:
    """The version and all rows."""
    return version(session), list(session.exec(select(ProviderRow).order_by(ProviderRow.name)))


def version(session: Session) -> int:
    """The version of the rows."""
    return int(facts.read(session, VERSION, 0))


def bump(session: Session) -> int:
    """Raise the version, and keep other writers out until the transaction ends."""
    return facts.next_version(session, VERSION)


def get(session: Session, name: str) -> ProviderRow | None:
    """One row."""
    return session.get(ProviderRow, name)


def put(session: Session, row: ProviderRow) -> None:
    """Insert or replace."""
    session.merge(row)


def delete(session: Session, name: str) -> bool:
    """Delete; whether it was there."""
    row = session.get(ProviderRow, name)
    if row is not None:
        session.delete(row)
    return row is not None
