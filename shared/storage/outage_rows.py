"""What the processes agree on while Redis is away, as facts: who counts budgets, where each stands, and the shares."""

from collections.abc import Collection
from typing import Any

from sqlmodel import Session, col, select

from shared.storage import exclusive, facts
from shared.storage.tables import FactRow

PROCESS = "budgets_process:"
POSITION = "budgets_position:"
AGREEMENT = "budgets_agreement"
SHARES = "budgets_shares"
BEGUN = "budgets_outage_version"
"""Raised with each agreement that begins, so that all processes look."""


def lock(session: Session) -> None:
    """Keep the other processes from changing any of it until the transaction ends."""
    exclusive.alone(session, exclusive.BUDGET_SHARES)


def join(session: Session, process: str) -> None:
    """Note that a process counts budgets."""
    facts.write(session, PROCESS + process, True)


def leave(session: Session, process: str) -> None:
    """Forget a process."""
    _delete(session, PROCESS + process)


def processes(session: Session) -> set[str]:
    """Those that joined, which includes those that were killed since."""
    return set(_under(session, PROCESS))


def keep(session: Session, known: Collection[str]) -> None:
    """Forget all other processes, and all positions."""
    for name in _under(session, PROCESS).keys() - set(known):
        _delete(session, PROCESS + name)
    for name in _under(session, POSITION):
        _delete(session, POSITION + name)


def agreement(session: Session) -> dict[str, Any] | None:
    """What is agreed now; None while Redis counts."""
    found = facts.read(session, AGREEMENT)
    return None if found is None else dict(found)


def begin(session: Session) -> None:
    """Have all processes look at the agreement."""
    facts.next_version(session, BEGUN)


def agree(session: Session, value: dict[str, Any] | None) -> None:
    """Put another agreement in its place, or end it."""
    if value is None:
        _delete(session, AGREEMENT)
        _delete(session, SHARES)
    else:
        facts.write(session, AGREEMENT, value)


def declare(session: Session, process: str, value: dict[str, Any]) -> None:
    """Store where a process stands."""
    facts.write(session, POSITION + process, value)


def positions(session: Session) -> dict[str, dict[str, Any]]:
    """Where each process said that it stands."""
    return {name: dict(value) for name, value in _under(session, POSITION).items()}


def share_out(session: Session, value: dict[str, Any]) -> None:
    """Store the shares."""
    facts.write(session, SHARES, value)


def shares(session: Session) -> dict[str, Any]:
    """The shares that were agreed on last."""
    return dict(facts.read(session, SHARES, {}))


def _under(session: Session, prefix: str) -> dict[str, Any]:
    rows = session.exec(select(FactRow).where(col(FactRow.name).startswith(prefix, autoescape=True)))
    return {row.name.removeprefix(prefix): row.value for row in rows}


def _delete(session: Session, name: str) -> None:
    row = session.get(FactRow, name)
    if row is not None:
        session.delete(row)
