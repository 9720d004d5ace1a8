"""The tables of the database; their history is in migrations/.

A `row_id` is given when a row is queued, so that the row is stored once however often it is sent. Rows of older versions
have none.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, Text, TypeDecorator
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING


class _UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in both directions; SQLite alone would give it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _moment(*, nullable: bool = False) -> Any:
    return Column(_UtcDateTime(), nullable=nullable)


class ModelRow(SQLModel, table=True):
    """A model of the registry. `removed` marks a discovered one that an operator deleted, so that it stays away."""

    __tablename__ = "models"

    id: str = Field(primary_key=True, max_length=200)
    removed: bool = False
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class LayerRow(SQLModel, table=True):
    """Whether a layer is on."""

    __tablename__ = "layers"

    name: str = Field(primary_key=True, max_length=2)
    enabled: bool


class FactRow(SQLModel, table=True):
    """A single named value: registry version, seed state, configuration overrides."""

    __tablename__ = "facts"

    name: str = Field(primary_key=True, max_length=100)
    value: Any = Field(sa_column=Column(JSON, nullable=True))


class UserRow(SQLModel, table=True):
    """A person who logs in."""

    __tablename__ = "users"

    id: str = Field(primary_key=True, max_length=64)
    username: str = Field(max_length=100, unique=True)
    password_hash: str = Field(max_length=200)
    role: str = Field(max_length=20)
    created_at: datetime = Field(sa_column=_moment())
    tokens_valid_after: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class RevokedTokenRow(SQLModel, table=True):
    """A token that was logged out before it expired."""

    __tablename__ = "revoked_tokens"

    token_id: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = Field(sa_column=_moment())


class ApiKeyRow(SQLModel, table=True):
    """A gateway API key; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=200)
    secret_hash: str = Field(max_length=64, unique=True)
    prefix: str = Field(max_length=20)
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    limits: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=_moment())
    expires_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    last_used_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class ProviderRow(SQLModel, table=True):
    """A provider that an operator set or changed; its key is encrypted."""

    __tablename__ = "providers"

    name: str = Field(primary_key=True, max_length=64)
    dialect: str = Field(max_length=20)
    base_url: str | None = Field(default=None, max_length=500)
    sealed_key: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    enabled: bool = True


class ConnectionRow(SQLModel, table=True):
    """A saved terminal connection; its secrets are encrypted."""

    __tablename__ = "connections"

    id: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=200)
    owner: str = Field(max_length=100)
    type: str = Field(max_length=10)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    sealed_secrets: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = Field(sa_column=_moment())
    updated_at: datetime = Field(sa_column=_moment())


class UsageRow(SQLModel, table=True):
    """One attempt at an answer: what it used, what it cost in 10^-12 US dollars (null: not known), how it ended."""

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_at_row_id", "at", "row_id", unique=True),)

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    at: datetime = Field(sa_column=_moment())
    request_id: str = Field(max_length=100)
    caller: str = Field(max_length=100)
    model_id: str = Field(max_length=200)
    provider: str = Field(max_length=64)
    layer: str = Field(max_length=2)
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    reasoning_tokens: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    purpose: str = Field(default="answer", max_length=20, sa_column_kwargs={"server_default": "answer"})
    cost_pico: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    outcome: str = Field(max_length=40)
    estimated: bool = False
    duration_ms: int
    tags: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    trace_id: str = Field(default="", max_length=32, sa_column_kwargs={"server_default": ""})
    chat_id: str = Field(default="", max_length=32, sa_column_kwargs={"server_default": ""})
    row_id: int | None = Field(default=None, sa_type=BigInteger)


class UsageHourRow(SQLModel, table=True):
    """The usage of one caller in one hour (UTC), summed up by one thing: `by` says by what, `value` which one.

    `requests` are distinct, so sums by one thing say nothing of those by another.
    """

    __tablename__ = "usage_hours"
    __table_args__ = (Index("ix_usage_hours_by", "by", "hour"),)

    hour: datetime = Field(sa_column=Column(_UtcDateTime(), primary_key=True))
    by: str = Field(primary_key=True, max_length=80)
    value: str = Field(primary_key=True, max_length=256)
    caller: str = Field(primary_key=True, max_length=100)
    requests: int = Field(sa_type=BigInteger)
    attempts: int = Field(sa_type=BigInteger)
    failed: int = Field(sa_type=BigInteger)
    prompt_tokens: int = Field(sa_type=BigInteger)
    completion_tokens: int = Field(sa_type=BigInteger)
    cached_tokens: int = Field(sa_type=BigInteger)
    cache_write_tokens: int = Field(sa_type=BigInteger)
    reasoning_tokens: int = Field(sa_type=BigInteger)
    cost_pico: int = Field(sa_type=BigInteger)
    unpriced: int = Field(sa_type=BigInteger)
    overhead_pico: int = Field(sa_type=BigInteger)
    overhead_unpriced: int = Field(sa_type=BigInteger)


class CommandDayRow(SQLModel, table=True):
    """What one caller whose commands are limited has run in a day (UTC): how many, and for how long in all."""

    __tablename__ = "command_days"

    caller: str = Field(primary_key=True, max_length=100)
    day: str = Field(primary_key=True, max_length=10)
    commands: int
    milliseconds: int = Field(sa_type=BigInteger)


class BudgetRow(SQLModel, table=True):
    """How much may be spent in a period: by all, by one API key, or for one tag."""

    __tablename__ = "budgets"

    id: str = Field(primary_key=True, max_length=64)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_column=_moment())


class DecisionLogRow(SQLModel, table=True):
    """How one request was routed, packed. `id` tells when it was, `key` whose request it was; `text` only where that is wanted."""

    __tablename__ = "decision_log"
    __table_args__ = (Index("ix_decision_log_key", "key"),)

    id: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    key: int = Field(sa_type=BigInteger)
    packed: bytes
    score: float | None = None
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class DecisionRow(SQLModel, table=True):
    """The same as older versions wrote it, in four times the space; read and pruned, written no more."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_at_row_id", "at", "row_id", unique=True),
        Index("ix_decisions_request_id", "request_id"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    at: datetime = Field(sa_column=_moment())
    request_id: str = Field(max_length=100)
    caller: str = Field(max_length=100)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    score: float | None = None
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    trace_id: str = Field(default="", max_length=32, sa_column_kwargs={"server_default": ""})
    row_id: int | None = Field(default=None, sa_type=BigInteger)


class AuditRow(SQLModel, table=True):
    """One link of the audit chain: `hash` covers the row and the hash before it.

    `packed` holds both hashes and the details; in rows of older versions they stand in columns of their own.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_trace_id", "trace_id", postgresql_using="hash"),
        Index("ix_audit_request_id", "request_id", postgresql_using="hash"),
        Index("ix_audit_cause_request_id", "cause_request_id"),
        Index("ix_audit_row_id", "row_id", unique=True),
    )

    sequence: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    at: datetime = Field(sa_column=_moment())
    caller: str = Field(max_length=100)
    address: str = Field(max_length=64)
    request_id: str = Field(max_length=100)
    action: str = Field(max_length=100)
    outcome: str = Field(max_length=60)
    details: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    trace_id: str = Field(default="", max_length=32, sa_column_kwargs={"server_default": ""})
    cause_request_id: str = Field(default="", max_length=100, sa_column_kwargs={"server_default": ""})
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    packed: bytes | None = None
    row_id: int | None = Field(default=None, sa_type=BigInteger)
