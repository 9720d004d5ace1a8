"""Who is calling, and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from shared.domain.budgets import Period
from shared.domain.models import Layer
from shared.domain.usage import Meter

Scope = Literal["chat", "models:read", "models:write", "terminal", "metrics", "admin"]
Role = Literal["admin", "viewer"]

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    "admin": SCOPES,
    "viewer": frozenset({"models:read"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated party. `id` owns terminal sessions and usage rows, `address` is its peer address.

    `rate_limit_per_hour` is the caller's own; None means the gateway's, 0 none. The other limits are none unless they are
    set; `meter` counts the tokens of one request where they are limited. `expires_at` is when its key ends. `models` (ids, or the providers' own
    names; None for all) and `max_layer` bound what it may chat with. `budget_usd` a `budget_period` is what its API key
    may spend, known with the key itself: budgets are read at another time. `restricted` says why a local caller may not do
    all that the local user may. `tool_call_id` and `session` are what the client says of this request: which tool call of a
    model it carries out, and which conversation it belongs to; `led_by` is what another process found out from them.
    """

    id: str
    kind: Literal["local", "user", "key", "anonymous"]
    name: str
    scopes: frozenset[Scope]
    address: str = ""
    role: Role | None = None
    token_id: str | None = None
    request_id: str = ""
    rate_limit_per_hour: int | None = None
    rate_limit_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_streams: int | None = None
    commands_per_day: int | None = None
    command_seconds_per_day: int | None = None
    meter: Meter | None = None
    expires_at: datetime | None = None
    models: frozenset[str] | None = None
    max_layer: Layer | None = None
    budget_usd: Decimal | None = None
    budget_period: Period | None = None
    restricted: str = ""
    tool_call_id: str = ""
    session: str = ""
    led_by: tuple[str, str] | None = None

    @property
    def is_counted(self) -> bool:
        """Whether the tokens or the streams of its chats are limited."""
        return bool(self.tokens_per_minute or self.max_streams)

    @property
    def commands_are_counted(self) -> bool:
        """Whether the number or the time of its commands is limited."""
        return bool(self.commands_per_day or self.command_seconds_per_day)

    def may(self, scope: Scope | None) -> bool:
        """Whether an operation of that scope is allowed; None is open to everyone. `admin` holds `metrics`."""
        return scope is None or scope in self.scopes or (scope == "metrics" and "admin" in self.scopes)


GUEST_SCOPES: frozenset[Scope] = frozenset({"chat", "models:read"})
"""What is left to local callers who are not the user of this machine."""

KEY_PREFIX = "key-"
USER_PREFIX = "user-"


def is_key_id(caller_id: str) -> bool:
    """Whether a caller's id is that of an API key, and not of a user."""
    return caller_id.startswith(KEY_PREFIX)


def is_user_id(caller_id: str) -> bool:
    """Whether a caller's id is that of somebody who logs in."""
    return caller_id.startswith(USER_PREFIX)


LOCAL = Caller(id="local", kind="local", name="local", scopes=SCOPES)
"""The user of this machine: stdio, the command line, and loopback HTTP in local mode."""

ANONYMOUS = Caller(id="anonymous", kind="anonymous", name="anonymous", scopes=frozenset())
