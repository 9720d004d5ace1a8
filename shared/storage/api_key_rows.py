"""Rows of gateway API keys."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Text, bindparam, cast, update
from sqlmodel import Session, col, select

from shared.domain.keys import ApiKey
from shared.storage import facts, unchanged
from shared.storage.tables import ApiKeyRow, BudgetRow

VERSION = "api_keys_version"
TOLD = (
    *(col(ApiKeyRow.name), col(ApiKeyRow.secret_hash), col(ApiKeyRow.prefix), col(ApiKeyRow.expires_at)),
    *(cast(col(ApiKeyRow.scopes), Text), cast(col(ApiKeyRow.limits), Text)),
)
"""What a key consists of, but for when it was last used."""


Work = Callable[[Session], bool]
"""Some writing; whether it changed anything."""


class State(NamedTuple):
    """Every key that can be read, by the hash of its secret, oldest first, at one version, and what they were read from."""

    version: int
    keys: dict[str, ApiKey]
    known: unchanged.Known[tuple[str, ApiKey]]


NOTHING = State(-1, {}, {})


def version(session: Session) -> int:
    """The number that changes whenever a key is made or deleted."""
    return int(facts.read(session, VERSION, 0))


def load(session: Session, known: State = NOTHING) -> State:
    """Everything; keys that are `known` and did not change are taken from there, but for when they were last used.

    The version is read first: rows may be newer than it and are then read again, never older.
    """
    number = version(session)
    found = unchanged.read(
        session, "apiKeys", ApiKeyRow, TOLD, lambda row: (row.secret_hash, _key(row)), known=known.known
    )
    return State(number, dict(pair for _, pair in found.values()), found)


def changed(session: Session, work: Work, known: State = NOTHING) -> tuple[bool, State]:
    """Do the work alone, under a new version, and see what there is then."""
    facts.next_version(session, VERSION)
    answer = work(session)
    session.flush()
    return answer, load(session, known)


def add(session: Session, key: ApiKey, secret_hash: str) -> bool:
    """A new key."""
    session.add(
        ApiKeyRow(
            id=key.id,
            name=key.name,
            secret_hash=secret_hash,
            prefix=key.prefix,
            scopes=list(key.scopes),
            limits=_limits(key),
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )
    return True


def delete(session: Session, key_id: str) -> bool:
    """Take a key away, with the budgets made for it; False when there is none."""
    row = session.get(ApiKeyRow, key_id)
    if row is None:
        return False
    session.delete(row)
    named = cast(col(BudgetRow.data), Text).contains(key_id, autoescape=True)
    for budget in session.exec(select(BudgetRow).where(named)):
        if isinstance(budget.data, dict) and budget.data.get("keyId") == key_id:
            session.delete(budget)
    return True


def touch(session: Session, used: Mapping[str, datetime]) -> None:
    """Note when keys were last used."""
    statement = update(ApiKeyRow.__table__).where(col(ApiKeyRow.id) == bindparam("key_id"))  # type: ignore[attr-defined]
    session.connection().execute(
        statement.values(last_used_at=bindparam("used_at")),
        [{"key_id": key_id, "used_at": moment} for key_id, moment in sorted(used.items())],
    )


def _limits(key: ApiKey) -> dict[str, Any]:
    limits = {
        "rate_per_hour": key.rate_limit_per_hour,
        "rate_per_minute": key.rate_limit_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "streams": key.max_streams,
        "commands_per_day": key.commands_per_day,
        "command_seconds_per_day": key.command_seconds_per_day,
        "budget_usd": None if key.budget_usd is None else str(key.budget_usd),  # JSON numbers are binary
        "budget_period": key.budget_period,
        "models": key.models,
        "max_layer": key.max_layer,
    }
    return {name: value for name, value in limits.items() if value is not None}


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=list(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        rate_limit_per_hour=row.limits.get("rate_per_hour"),
        rate_limit_per_minute=row.limits.get("rate_per_minute"),
        tokens_per_minute=row.limits.get("tokens_per_minute"),
        max_streams=row.limits.get("streams"),
        commands_per_day=row.limits.get("commands_per_day"),
        command_seconds_per_day=row.limits.get("command_seconds_per_day"),
        budget_usd=row.limits.get("budget_usd"),
        budget_period=row.limits.get("budget_period"),
        models=row.limits.get("models"),
        max_layer=row.limits.get("max_layer"),
    )
