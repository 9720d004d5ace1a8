"""The processes of one gateway, each a fact of its own: where it is, when it was last there, how many sessions it has."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from shared.storage.tables import FactRow

PREFIX = "node:"


def every(session: Session) -> dict[str, dict[str, Any]]:
    """All of them, those included that have gone without a word, by node id."""
    rows = session.exec(select(FactRow).where(col(FactRow.name).startswith(PREFIX)))
    return {row.name.removeprefix(PREFIX): dict(row.value) for row in rows}


def save(
    session: Session, node_id: str, *, address: str, seen: float, sessions: Mapping[str, int], secret: str = ""
) -> None:
    """Put one in, or renew it. `seen` is in epoch seconds, `sessions` how many each owner has, `secret` the fingerprint of
    the login tokens' secret.
    """
    value = {"address": address, "seen": seen, "sessions": dict(sessions)} | ({"secret": secret} if secret else {})
    session.merge(FactRow(name=PREFIX + node_id, value=value))


def delete(session: Session, node_id: str) -> None:
    """Forget one."""
    row = session.get(FactRow, PREFIX + node_id)
    if row is not None:
        session.delete(row)
