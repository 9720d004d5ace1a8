"""The turns of a session's commands: one runs at a time, and a command waits for its turn no longer than its own time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.terminal import Busy, CommandResult
from shared.domain.wire import iso
from shared.errors import Conflict
from shared.security.redaction import Redactor, cut
from shared.terminal.channel import Command

LONGEST_SHOWN = 200
"""Characters of a command that callers are shown."""
WORTH_TELLING = 1.0
"""Seconds of waiting after which a result tells of them; one that timed out always does."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one command, whose time-out is what waiting has left of it; `ahead` is the command it found running."""

    command: Command
    waited: float
    ahead: Busy | None

    def told(self, result: CommandResult) -> CommandResult:
        """The result, with what the command waited for."""
        if self.ahead is None or not (result.timed_out or self.waited >= WORTH_TELLING):
            return result
        notice = (
            f"It waited {self.waited:.1f} s of its time for an earlier command of this session, which ran since "
            f"{iso(self.ahead.since)}: {self.ahead.command}"
        )
        return result.model_copy(update={"notice": " ".join(filter(None, (result.notice, notice)))})


class Turns:
    """First come, first served. `busy` is what has the turn."""

    def __init__(self, redactor: Redactor, clock: Callable[[], datetime]) -> None:
        self._redactor = redactor
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: tuple[str, datetime] | None = None

    @property
    def taken(self) -> bool:
        """Whether a command has the turn."""
        return self._current is not None

    @property
    def busy(self) -> Busy | None:
        """The command that runs, secrets left out, and since when; None where none does."""
        if self._current is None:
            return None
        text, since = self._current
        return Busy(command=cut(self._redactor.line(text), LONGEST_SHOWN), since=since)

    @asynccontextmanager
    async def take(self, command: Command) -> AsyncIterator[Turn]:
        """The turn of a command, for as long as the block lasts. Raises Conflict when its time is up before."""
        began, ahead = time.monotonic(), self.busy
        try:
            async with asyncio.timeout(command.timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise self._refusal() from None
        try:
            self._current = command.text, self._clock()
            waited = time.monotonic() - began
            yield Turn(replace(command, timeout=max(command.timeout - waited, 0)), waited, ahead)
        finally:
            self._current = None
            self._lock.release()

    def _refusal(self) -> Conflict:
        busy = self.busy
        return Conflict(
            "This session is busy with an earlier command, and the time of this one was up before its turn: nothing of it "
            "was run. Give it more time, wait for the earlier command to end, or run it outside of this session.",
            code="session_busy",
            details={"busy": busy.model_dump(mode="json")} if busy is not None else "",
        )
