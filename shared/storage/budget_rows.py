"""Rows of budgets, and the budgets that API keys bring along."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Text, cast
from sqlmodel import Session, col, select

from shared.domain.budgets import Budget, Period
from shared.storage import api_key_rows, exclusive, facts, outage_rows, readable, unchanged
from shared.storage.tables import ApiKeyRow, BudgetRow

VERSION = "budgets_version"

Known = unchanged.Known[Budget]
Versions = tuple[int, int]
"""Of the budgets, and of the keys."""


class Seen(NamedTuple):
    """The versions, and whether the processes share the budgets out because Redis is away."""

    of_rows: Versions
    apart: bool


def versions(session: Session) -> Versions:
    """The numbers of which one changes whenever a budget does."""
    return int(facts.read(session, VERSION, 0)), api_key_rows.version(session)


def seen(session: Session) -> Seen:
    """What each process looks at again and again."""
    return Seen(versions(session), outage_rows.agreement(session) is not None)


def next_version(session: Session) -> None:
    """Begin a change: writers queue here, the very first ones too, for whom there is no row yet to queue at."""
    exclusive.alone(session, exclusive.BUDGETS)
    facts.next_version(session, VERSION)


def of_keys(session: Session) -> list[Budget]:
    """Every budget of a key that can be read, oldest first."""
    name, limits, made = col(ApiKeyRow.id), col(ApiKeyRow.limits), col(ApiKeyRow.created_at)
    bounded = select(name, limits, made).where(cast(limits, Text).contains("budget_usd", autoescape=True))
    rows = session.connection().execute(bounded.order_by(made, name))
    found: list[Budget] = []
    for row in rows:
        with suppress(*readable.UNREADABLE):  # the key counts for nothing then, and is noted with the keys
            if "budget_usd" in row.limits:
                found.append(of_key(row.id, row.limits["budget_usd"], row.limits["budget_period"], row.created_at))
    return found


def stored(session: Session, known: Known) -> dict[str, tuple[int, Budget]]:
    """Those that were made by themselves, by id, oldest first; unchanged ones are taken from what is known."""
    told = col(BudgetRow.created_at), cast(col(BudgetRow.data), Text)
    return unchanged.read(session, "budgets", BudgetRow, told, _budget, known=known)


def of_key(key_id: str, limit: Decimal, period: Period, created_at: datetime) -> Budget:
    """The budget that a key was made with."""
    return Budget(
        id=key_id,
        source="key",
        applies_to="key",
        key_id=key_id,
        period=period,
        limit_usd=limit,
        created_at=created_at,
    )


def has_key(session: Session, key_id: str) -> bool:
    """Whether there is such an API key."""
    return session.get(ApiKeyRow, key_id) is not None


def put(session: Session, budget: Budget) -> None:
    """Store a budget, new or changed."""
    data = budget.model_dump(mode="json", by_alias=True, exclude={"id", "created_at", "source"}, exclude_none=True)
    data["limitUsd"] = str(budget.limit_usd)  # JSON numbers are binary
    session.merge(BudgetRow(id=budget.id, data=data, created_at=budget.created_at))


def get(session: Session, budget_id: str) -> Budget | None:
    """A stored budget. Raises Conflict when this version cannot read it."""
    row = session.get(BudgetRow, budget_id)
    try:
        return None if row is None else _budget(row)
    except readable.UNREADABLE as error:
        raise readable.refused("budget", budget_id, error) from None


def delete(session: Session, budget_id: str) -> bool:
    """Take a budget away; False when there is none."""
    row = session.get(BudgetRow, budget_id)
    if row is None:
        return False
    session.delete(row)
    return True


def _budget(row: BudgetRow) -> Budget:
    return readable.known_fields(Budget, {**row.data, "id": row.id, "createdAt": row.created_at})
