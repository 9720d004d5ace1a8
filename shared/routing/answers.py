"""What a chat comes to: a whole answer or one under way, and how it came about."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from shared.domain.digest import RunningDigest
from shared.domain.models import Model
from shared.domain.usage import Usage

CacheState = Literal["off", "miss", "hit"]


@dataclass(slots=True)
class Route:
    """How an answer came about.

    `cost` is all that was spent for it, other models' work on it included; None while, or if, it is not known.
    `chat_id` names the chat in the ledger; empty for an answer from the cache. `said` is the digest of a stream's events, `tool_calls` the
    ids of the tool calls in it. `notice` says what was changed in the request. `notes` become the answer's `gateway` object: what cross-check, agreement and escalation found. `age` is how many
    seconds ago an answer from the cache was made. `native` says that a stream is in the caller's own dialect.
    """

    model: Model
    attempts: int
    cost: Decimal | None = None
    cache: CacheState = "off"
    age: int | None = None
    notice: str = ""
    chat_id: str = ""
    said: RunningDigest = field(default_factory=RunningDigest)
    tool_calls: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    native: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer in OpenAI's form, with usage and cost in it. `native` is the same in the caller's own dialect, where
    the provider speaks that and nothing was changed.
    """

    payload: dict[str, Any]
    usage: Usage
    route: Route
    native: bytes | None = None


class EventStream(Protocol):
    """An answer as it comes: runs of whole server-sent events in OpenAI's form, the usage event last, no `[DONE]`; in the
    caller's own dialect, and whole, where the route says `native`.

    `usage` is None until the end. Iterating raises UpstreamError when the provider breaks off.
    """

    route: Route
    usage: Usage | None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The events."""
