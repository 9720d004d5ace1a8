"""Progress of one call: told often enough to show that it lives, and seldom enough not to flood the host."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from mcp_gateway.identity import Context

log = logging.getLogger(__name__)

SHORTEST_GAP = 0.5
LONGEST_GAP = 3.0
MAX_MESSAGE = 4_000


class Reports(Protocol):
    """Where progress goes."""

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell the client; does nothing when it has not asked."""


class Progress:
    """What a call has to tell just now. The number that clients see is the seconds since it began."""

    def __init__(
        self, reports: Reports, *, shortest_gap: float = SHORTEST_GAP, longest_gap: float = LONGEST_GAP
    ) -> None:
        self._reports = reports
        self._shortest = shortest_gap
        self._longest = longest_gap
        self._source: Callable[[], str] = str
        self._news = asyncio.Event()

    def say(self, message: str) -> None:
        """Tell this from now on."""
        self.follow(lambda: message)

    def follow(self, source: Callable[[], str]) -> None:
        """Tell what `source` gives from now on, or the end of it when it is long; `news` says that it has changed."""
        self._source = source
        self._news.set()

    def news(self) -> None:
        """There is something new to tell."""
        self._news.set()

    async def run(self) -> None:
        """Tell it, for ever: news soon, and something from time to time."""
        started = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._longest):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            message = self._source()
            shown = message if len(message) <= MAX_MESSAGE else "…" + message[-MAX_MESSAGE:]
            await self._reports.report_progress(round(time.monotonic() - started, 3), None, shown)
            await asyncio.sleep(self._shortest)


@asynccontextmanager
async def progress_of(context: Context, first: str) -> AsyncIterator[Progress]:
    """The progress of a call, told while the block runs to a client that has asked for it."""
    progress = Progress(context.session)
    progress.say(first)
    telling = asyncio.create_task(progress.run())
    try:
        yield progress
    finally:
        telling.cancel()
        (failure,) = await asyncio.gather(telling, return_exceptions=True)
        if isinstance(failure, Exception):
            log.warning("progress could not be told: %r", failure)
