"""Gateway API keys as callers see and make them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.domain.budgets import Limit, Period
from shared.domain.identity import Scope
from shared.domain.models import Layer
from shared.domain.wire import Moment, Money, Name, Timestamp, Wire

DEFAULT_SCOPES: tuple[Scope, ...] = ("chat", "models:read")

ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x20\x7f]+$")]
"""A model's id, or the name that its provider has for it."""

AtMost = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""0 is no limit."""


class ApiKey(Wire):
    """A key without its secret. `prefix` is the start of the secret, to recognise it by.

    `models` and `max_layer` bound what it may chat with, null where nothing does. `tokens_per_minute` counts prompts and
    answers, `max_streams` the streamed answers that it has under way at once. `commands_per_day` and `command_seconds_per_day` (UTC) bound
    what it runs in terminals.
    """

    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: Timestamp
    expires_at: Timestamp | None = None
    last_used_at: Timestamp | None = None
    rate_limit_per_minute: int | None = None
    rate_limit_per_hour: int | None = None
    tokens_per_minute: int | None = None
    max_streams: int | None = None
    commands_per_day: int | None = None
    command_seconds_per_day: int | None = None
    budget_usd: Money | None = None
    budget_period: Period | None = None
    models: list[str] | None = None
    max_layer: Layer | None = None


class NewApiKey(Wire):
    """A key to make. Without `rate_limit_per_hour` the gateway's own limit counts; of every limit 0 is none.

    A `budget_usd` of 0 leaves it free models only. `models` are ids, or the providers' own names.
    """

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)] = Field(
        default_factory=lambda: [*DEFAULT_SCOPES]
    )
    expires_at: Moment | None = None
    rate_limit_per_minute: AtMost | None = None
    rate_limit_per_hour: AtMost | None = None
    tokens_per_minute: AtMost | None = None
    max_streams: AtMost | None = None
    commands_per_day: AtMost | None = None
    command_seconds_per_day: AtMost | None = None
    budget_usd: Limit | None = None
    budget_period: Period = "month"
    models: Annotated[list[ModelName], Field(min_length=1, max_length=200)] | None = None
    max_layer: Layer | None = None


class MadeApiKey(Wire):
    """A key just made: the only time that its secret is shown."""

    success: Literal[True] = True
    key: ApiKey
    secret: str = Field(repr=False)


class ApiKeyId(Wire):
    """Which key."""

    key_id: Annotated[str, Field(min_length=1, max_length=64)]


class ApiKeys(Wire):
    """All keys, oldest first."""

    keys: list[ApiKey]


class DeletedApiKey(Wire):
    """The key that no longer counts."""

    success: Literal[True] = True
    key_id: str
