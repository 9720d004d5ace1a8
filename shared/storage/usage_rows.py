"""Usage rows: written in batches, summed up by time, model, layer, provider, caller, purpose, outcome or tag."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Select,
    String,
    Text,
    case,
    cast,
    distinct,
    func,
    lateral,
    literal,
    or_,
    select,
)
from sqlmodel import Session, col

from shared.storage import bulk
from shared.storage.tables import UsageRow

TAG = "tag:"
"""What a grouping by the values of a tag begins with; the tag's name follows."""

COLUMNS: dict[str, Any] = {
    "model": UsageRow.model_id,
    "layer": UsageRow.layer,
    "provider": UsageRow.provider,
    "key": UsageRow.caller,
    "purpose": UsageRow.purpose,
    "outcome": UsageRow.outcome,
}
NUL, REPLACEMENT = r"\u0000", r"\ufffd"
"""As JSON writes them; the one may stand in the place of the other wherever that is."""

TIMES = {"day": ("%Y-%m-%d", "YYYY-MM-DD"), "hour": ("%Y-%m-%dT%H:00Z", 'YYYY-MM-DD"T"HH24:00"Z"')}
"""How SQLite and PostgreSQL write them; hours are UTC, as days are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows count; `tag` is a name and a value. None is no filter."""

    model: str | None = None
    provider: str | None = None
    layer: str | None = None
    key: str | None = None
    tag: tuple[str, str] | None = None


EVERYTHING = Filters()


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert a batch, but for rows whose `at` and `row_id` are stored already."""
    bulk.add(session, UsageRow.__table__, rows)  # type: ignore[attr-defined]


def newest(session: Session) -> int:
    """The id of the newest row; 0 when there is none."""
    return int(session.connection().execute(select(func.max(col(UsageRow.id)))).scalar() or 0)


def summed(
    session: Session,
    start: datetime,
    end: datetime,
    group_by: str | None,
    *,
    filters: Filters = EVERYTHING,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Sums over [start, end), one row a group, in the group's order; without a grouping all in one row.

    `requests` are distinct: one that was tried with two models counts once in each of their groups.
    """
    group = literal("total") if group_by is None else in_order(session, _group(session, group_by))
    statement: Select[Any] = select(group.label("group"), *sums()).where(
        col(UsageRow.at) >= start, col(UsageRow.at) < end, *_conditions(session, filters)
    )
    if group_by is not None:
        statement = statement.group_by("group").order_by("group").limit(limit)
    return [dict(row) for row in session.connection().execute(statement).mappings()]


def in_order(session: Session, text: Any) -> Any:
    """Text that sorts by its code points, whatever order the database was made for."""
    return text if session.get_bind().dialect.name == "sqlite" else cast(text, String).collate("C")


@cache
def sums() -> tuple[ColumnElement[Any], ...]:
    """What is summed up, under its name: made once, for it takes longer than the query. Chats are told apart by our own id for them, older rows by the request's; rows
    without either are requests of their own.
    """
    chat = func.coalesce(func.nullif(col(UsageRow.chat_id), ""), func.nullif(col(UsageRow.request_id), ""))
    cost = col(UsageRow.cost_pico)
    extra = or_(col(UsageRow.purpose) != "answer", col(UsageRow.outcome) != "ok")
    sums: dict[str, Any] = {
        "requests": func.count(distinct(chat)) + _count(chat.is_(None)),
        "attempts": func.count(),
        "failed": _count(col(UsageRow.outcome) != "ok"),
        "prompt_tokens": _sum(col(UsageRow.prompt_tokens)),
        "completion_tokens": _sum(col(UsageRow.completion_tokens)),
        "cached_tokens": _sum(col(UsageRow.cached_tokens)),
        "cache_write_tokens": _sum(col(UsageRow.cache_write_tokens)),
        "reasoning_tokens": _sum(col(UsageRow.reasoning_tokens)),
        "cost_pico": _sum(cost),
        "unpriced": _count(cost.is_(None)),
        "overhead_pico": _sum(case((extra, cost), else_=0)),
        "overhead_unpriced": _count(extra & cost.is_(None)),
    }
    return tuple(expression.label(name) for name, expression in sums.items())


def _sum(numbers: Any) -> Any:
    return func.coalesce(func.sum(numbers), 0)


def _count(condition: ColumnElement[bool]) -> Any:
    return _sum(case((condition, 1), else_=0))


def _conditions(session: Session, filters: Filters) -> list[ColumnElement[bool]]:
    wanted = {"model": filters.model, "provider": filters.provider, "layer": filters.layer, "key": filters.key}
    conditions = [col(COLUMNS[name]) == value for name, value in wanted.items() if value is not None]
    if filters.tag is not None:
        name, value = filters.tag
        conditions.append(tag_value(session, name) == value)
    return conditions


def _group(session: Session, group_by: str) -> Any:
    if group_by.startswith(TAG):
        return func.coalesce(tag_value(session, group_by.removeprefix(TAG)), "")
    return time_of(session, col(UsageRow.at), group_by) if group_by in TIMES else col(COLUMNS[group_by])


def time_of(session: Session, moment: Any, unit: str) -> Any:
    """The day or hour of a moment, as text."""
    sqlite, postgresql = TIMES[unit]
    if session.get_bind().dialect.name == "sqlite":
        return func.strftime(sqlite, moment)
    return func.to_char(func.timezone("UTC", moment), postgresql)


def tag_value(session: Session, name: str) -> Any:
    """The value of a tag; NULL where there is no such tag."""
    tags = col(UsageRow.tags)
    if session.get_bind().dialect.name == "sqlite":
        return tags[name].as_string()
    text, readable = _readable()
    return case((func.strpos(text, NUL) > 0, readable[name].as_string()), else_=tags[name].as_string())


def tag_pairs(session: Session) -> Any:
    """The tags of each usage row, to be joined to it: one row for each, with `key` and `value`."""
    tags: Any = col(UsageRow.tags)
    if session.get_bind().dialect.name == "sqlite":
        return func.json_each(tags).table_valued("key", "value", name="tag")
    text, readable = _readable()
    pairs = func.json_each_text(case((func.strpos(text, NUL) > 0, readable), else_=tags)).table_valued("key", "value")
    return lateral(select(pairs.c.key, pairs.c.value)).alias("tag")


def _readable() -> tuple[Any, Any]:
    """The tags as text, and as JSON that PostgreSQL can read.

    It takes JSON with a NUL in it and then can read no part of that, and one row would stop every sum for good.
    """
    text = cast(col(UsageRow.tags), Text)
    return text, cast(func.replace(text, NUL, REPLACEMENT), JSON)
