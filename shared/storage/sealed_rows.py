"""Every sealed value that is stored, for the check of the secrets key and its rotation."""

from collections.abc import Callable

from sqlmodel import Session, col, select

from shared.storage import exclusive, facts
from shared.storage.audit_rows import CHECKPOINT, SEAL
from shared.storage.tables import ConnectionRow, ProviderRow

CHECK = "secrets_check"


def check_value(session: Session, first: Callable[[], str]) -> str:
    """The sealed check value; the very first process to ask puts it there."""
    exclusive.alone(session, exclusive.SEALED)
    stored = facts.read(session, CHECK)
    if stored is None:
        stored = first()
        facts.write(session, CHECK, stored)
    return str(stored)


def reseal(session: Session, renewed: Callable[[str], str]) -> int:
    """Put every sealed value, the check value last, under the newest key; how many there were besides that."""
    exclusive.alone(session, exclusive.SEALED)
    count = 0
    providers = select(ProviderRow).where(col(ProviderRow.sealed_key).is_not(None)).with_for_update()
    for provider in session.exec(providers):
        provider.sealed_key = renewed(str(provider.sealed_key))
        session.add(provider)
        count += 1
    connections = select(ConnectionRow).where(col(ConnectionRow.sealed_secrets).is_not(None)).with_for_update()
    for connection in session.exec(connections):
        connection.sealed_secrets = renewed(str(connection.sealed_secrets))
        session.add(connection)
        count += 1
    checkpoint = facts.read(session, CHECKPOINT)
    if checkpoint is not None:
        facts.write(session, CHECKPOINT, {**checkpoint, SEAL: renewed(str(checkpoint[SEAL]))})
        count += 1
    facts.write(session, CHECK, renewed(str(facts.read(session, CHECK))))
    return count
