"""Usage rows: written in batches, summed up by day, model, layer, provider or caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, case, func, insert, select
from sqlmodel import Session, col

from shared.storage.tables import UsageRow

GroupBy = Literal["day", "model", "layer", "provider", "key"]


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert a batch."""
    session.connection().execute(insert(UsageRow), rows)


def summed(session: Session, start: datetime, end: datetime, group_by: GroupBy) -> list[dict[str, Any]]:
    """Sums over [start, end), one row a group, in the group's order."""
    group = _group(session, group_by)
    statement: Select[Any] = (
        select(
            group.label("group"),
            func.count().label("requests"),
            func.sum(case((col(UsageRow.outcome) == "ok", 0), else_=1)).label("failed"),
            func.sum(col(UsageRow.prompt_tokens)).label("prompt_tokens"),
            func.sum(col(UsageRow.completion_tokens)).label("completion_tokens"),
            func.sum(col(UsageRow.cached_tokens)).label("cached_tokens"),
            func.sum(func.coalesce(col(UsageRow.cost_pico), 0)).label("cost_pico"),
            func.sum(case((col(UsageRow.cost_pico).is_(None), 1), else_=0)).label("unpriced"),
        )
        .where(col(UsageRow.at) >= start, col(UsageRow.at) < end)
        .group_by(group)
        .order_by(group)
    )
    return [dict(row) for row in session.connection().execute(statement).mappings()]


def _group(session: Session, group_by: GroupBy) -> Any:
    if group_by == "day":
        at = col(UsageRow.at)
        if session.get_bind().dialect.name == "sqlite":
            return func.strftime("%Y-%m-%d", at)
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD")
    columns: dict[str, Any] = {
        "model": UsageRow.model_id,
        "layer": UsageRow.layer,
        "provider": UsageRow.provider,
        "key": UsageRow.caller,
    }
    return col(columns[group_by])
