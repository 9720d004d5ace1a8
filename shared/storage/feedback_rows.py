"""What callers say of their answers, in the rows of the decisions that led to them."""

from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from shared.storage.tables import DecisionRow


class Vote(NamedTuple):
    """The row that was voted on: its data, and the vote that stood there before."""

    data: dict[str, Any]
    before: float | None


def vote(session: Session, *, caller: str, request_id: str, score: float) -> Vote | None:
    """Write a caller's vote into the newest decision on its request; None when there is none of its own."""
    own = select(DecisionRow).where(DecisionRow.request_id == request_id, DecisionRow.caller == caller)
    row = session.exec(own.order_by(col(DecisionRow.id).desc()).limit(1).with_for_update()).first()
    if row is None:
        return None
    before, row.score = row.score, score
    session.add(row)
    return Vote(row.data, before)
