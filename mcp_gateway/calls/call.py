"""One call of a tool under way."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_gateway.progress import Progress
from shared.domain.identity import Caller

if TYPE_CHECKING:
    from shared.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What fits a host: many give a call 60 seconds and a model 25,000 tokens of result."""

    chat_seconds: float = 50
    chat_bytes: int = 48_000
    stdout_bytes: int = 24_000
    stderr_bytes: int = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, what to work with, and where to tell how it goes."""

    gateway: "Gateway"
    caller: Caller
    progress: Progress
    limits: Limits
