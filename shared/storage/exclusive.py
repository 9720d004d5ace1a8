"""One writer at a time, between processes and machines, where the order of writes matters."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from shared.storage import facts

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

LEASE = timedelta(minutes=5)
"""After that long without a step, the process that has a turn is taken to have gone."""


def alone(session: Session, lock: int) -> None:
    """Wait for the others and keep them out until the transaction ends.

    SQLite needs nothing: there a writing transaction is alone from its beginning.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


class Turn:
    """Work of several transactions that one process does at a time; the fact `name` says who, and until when nobody else."""

    def __init__(self, name: str, lock: int, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._lock = lock
        self._clock = clock
        self._id = secrets.token_hex(8)

    def is_free(self, session: Session) -> bool:
        """Whether no other process has it. Keeps the others out until the transaction ends."""
        alone(session, self._lock)
        turn = facts.read(session, self._name)
        return turn is None or turn["by"] == self._id or self._clock() >= datetime.fromisoformat(turn["until"])

    def take(self, session: Session, **about: Any) -> None:
        """Have it from now on, for work that `about` describes; only where it is free."""
        until = (self._clock() + LEASE).isoformat()
        facts.write(session, self._name, {"by": self._id, "until": until, **about})

    def keep(self, session: Session) -> bool:
        """Before each step: False when the turn was ended, or is another process's by now."""
        alone(session, self._lock)
        turn = facts.read(session, self._name)
        if turn is None or turn["by"] != self._id:
            return False
        self.take(session, **{name: value for name, value in turn.items() if name not in ("by", "until")})
        return True

    def leave(self, session: Session) -> None:
        """Let others have it, where it is still this process's."""
        alone(session, self._lock)
        turn = facts.read(session, self._name)
        if turn is not None and turn["by"] == self._id:
            facts.write(session, self._name, None)
