"""What the router has learned: one fact, which processes bring up to date one after the other."""

from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from shared.storage import facts
from shared.storage.exclusive import LEARNING, alone

NAME = "router_learning"


def load(session: Session) -> Any:
    """What is stored, as JSON; None when there is nothing."""
    return facts.read(session, NAME)


def change(session: Session, work: Callable[[Any], Any | None]) -> None:
    """Replace what is stored by what `work` makes of it, alone; None leaves it."""
    alone(session, LEARNING)
    changed = work(load(session))
    if changed is not None:
        facts.write(session, NAME, changed)
