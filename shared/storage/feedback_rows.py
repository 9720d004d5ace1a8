"""What callers say of their answers, in the rows of the decisions that led to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlmodel import Session

from shared.storage import decision_rows


class Vote(NamedTuple):
    """The row that was voted on: its data, and the vote that stood there before."""

    data: Mapping[str, Any]
    before: float | None


def vote(session: Session, *, caller: str, request_id: str, score: float) -> Vote | None:
    """Write a caller's vote into the newest decision on its request; None when there is none of its own."""
    found = decision_rows.vote(session, caller=caller, request_id=request_id, score=score)
    return None if found is None else Vote(found[0].data, found[1])
