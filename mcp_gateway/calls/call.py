"""One call under way: what it works with, and its line in the log."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_gateway.asking import User
from mcp_gateway.calls.ongoing import OngoingChats
from mcp_gateway.progress import Progress
from shared.domain.identity import Caller
from shared.errors import GatewayError
from shared.structured import get_logger

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What fits a host: many give a call 60 seconds and a model 25,000 tokens of result; one that asks its user waits."""

    call_seconds: float = 55
    chat_seconds: float = 50
    asking_seconds: float = 120
    terminal_seconds: float = 50
    chat_bytes: int = 48_000
    stdout_bytes: int = 24_000
    stderr_bytes: int = 8_000
    terminal_characters: int = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who calls, what to work with, whom to ask for leave, and where to tell how it goes. `folder` is the project that the
    client has open; empty where that is not known.
    """

    gateway: "Gateway"
    caller: Caller
    user: User
    progress: Progress
    limits: Limits
    chats: OngoingChats
    folder: str = ""
    began: float = field(default_factory=time.monotonic)

    def directory(self, path: str | None) -> str | None:
        """The directory of this machine to start in: a relative one, or none, begins at the client's folder."""
        if not self.folder or (path and path[0] in "/~"):
            return path
        return os.path.join(self.folder, path or "").rstrip("/")

    @property
    def left(self) -> float:
        """Seconds that a call of a terminal tool still has, its answer included."""
        return max(self.began + self.limits.terminal_seconds - time.monotonic(), 0)


@contextmanager
def noted(what: str, caller: Caller) -> Iterator[None]:
    """Log what was called, by whom, how long it took and how it ended."""
    started = time.perf_counter()
    outcome = "cancelled or failed"
    detail = ""
    try:
        yield
        outcome = "ok"
    except GatewayError as error:
        outcome, detail = error.code, error.operator_detail
        raise
    finally:
        tell = log.warning if detail else log.info
        tell(
            "mcp call",
            what=what,
            outcome=outcome,
            ms=round((time.perf_counter() - started) * 1000, 1),
            caller=caller.id,
            request_id=caller.request_id,
            **({"detail": detail} if detail else {}),
        )
