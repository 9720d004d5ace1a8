"""One writer at a time, between processes and machines, where the order of writes matters."""

from sqlalchemy import text
from sqlmodel import Session

AUDIT = 0x6D637061
SEALED = 0x6D637062
ALERTS = 0x6D637063
LEARNING = 0x6D637064
BUDGETS = 0x6D637065
NODES = 0x6D637066
USAGE = 0x6D637067
COMMANDS = 0x6D637068
RETENTION = 0x6D637069
BUDGET_SHARES = 0x6D637070


def alone(session: Session, lock: int) -> None:
    """Wait for the others and keep them out until the transaction ends.

    SQLite needs nothing: there a writing transaction is alone from its beginning.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
