"""What usage rows cost, summed up for those whom budgets bind."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from shared.storage.tables import UsageRow
from shared.storage.usage_rows import tag_value


class Spending(NamedTuple):
    """What one caller spent with one set of values of the tags asked for, in 10^-12 US dollars."""

    caller: str
    tags: tuple[str | None, ...]
    pico: int


def newest(session: Session) -> int:
    """The id of the newest row; 0 when there is none."""
    return int(session.connection().execute(select(func.max(col(UsageRow.id)))).scalar() or 0)


def since(session: Session, row: int, start: datetime | None, tags: Sequence[str]) -> list[Spending]:
    """Sums over the rows after `row`, from `start` on."""
    values: list[Any] = [tag_value(session, name) for name in tags]
    columns = [value.label(f"tag_{number}") for number, value in enumerate(values)]
    statement = (
        select(col(UsageRow.caller), func.sum(col(UsageRow.cost_pico)), *columns)
        .where(col(UsageRow.id) > row, col(UsageRow.cost_pico) > 0)
        .group_by(col(UsageRow.caller), *columns)
    )
    if start is not None:
        statement = statement.where(col(UsageRow.at) >= start)
    return [
        Spending(caller, tuple(found), int(pico)) for caller, pico, *found in session.connection().execute(statement)
    ]
