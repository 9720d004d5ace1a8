"""Rows on their way into the database: queued at once, written in batches, never waited for."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from sqlmodel import Session

from shared.errors import Conflict, GatewayError, InvalidInput
from shared.storage.database import Database
from shared.storage.journal import Journal
from shared.structured import get_logger

log = get_logger(__name__)

FLUSH_SECONDS = 0.5
QUIET_SECONDS = 10.0
"""So often `then` is done while there is nothing to write."""
AWAY_SECONDS = 2.0
"""How long a database that took nothing is left alone, however much there is to write."""

BATCH = 500

Item = TypeVar("Item")
Write = Callable[[Session, Sequence[Item]], None]


class WriteBehind(Generic[Item]):
    """A bounded queue and the one task that writes it. `lost` counts what had no room, or what the database refused.

    `write` puts items into the database, in a worker thread and a transaction of its own; `what` is what the log calls
    them; `then` is done after each writing, by the same task. `journal` is where the owner keeps what is queued.
    """

    def __init__(
        self,
        database: Database,
        write: Write[Item],
        *,
        what: str,
        capacity: int,
        then: Callable[[], Awaitable[None]] | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.lost = 0
        self._database = database
        self._write = write
        self._what = what
        self._capacity = capacity
        self._then = then
        self._journal = journal
        self._queue: deque[Item] = deque()
        self._filled = asyncio.Event()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._gone = 0

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[Item]:
        """What is not written yet."""
        return iter(self._queue)

    @property
    def last(self) -> int:
        """The number of the newest item; they are numbered from 1 in the order in which they were queued."""
        return self._gone + len(self._queue)

    def put(self, item: Item) -> bool:
        """Queue it, unless there is no room. Never waits."""
        if len(self._queue) >= self._capacity:
            self.lost += 1
            if self.lost == 1:
                log.error(f"{self._what} are being lost: the database does not take them", queued=len(self._queue))
            return False
        self._queue.append(item)
        self._filled.set()
        if len(self._queue) >= BATCH:
            self._wake.set()
        return True

    async def run(self) -> None:
        """Write what is queued, for ever."""
        while True:
            if not self._queue:
                self._filled.clear()
            await _until(self._filled, None if self._then is None else QUIET_SECONDS)
            if self._queue:
                await _until(self._wake, FLUSH_SECONDS)
            self._wake.clear()
            try:
                await self.flush()
            except GatewayError as error:
                log.warning(
                    f"{self._what} wait for the database", queued=len(self._queue), reason=error.operator_detail
                )
                await asyncio.sleep(AWAY_SECONDS)

    async def flush(self) -> None:
        """Write everything queued so far. Raises Unavailable and keeps it when the database is away.

        The writing is a task of its own: whoever waits for it may be cancelled without a row being written twice. One
        that is under way already may have begun before the last rows came; then another follows.
        """
        last = self.last
        while True:
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write_all())
                self._writer.add_done_callback(_seen)
            await asyncio.shield(self._writer)
            if self._gone >= last:
                return

    async def aclose(self) -> None:
        """Write the rest. What the database does not take by now stays in the journal, or else is lost; the log says how
        much.
        """
        try:
            await self.flush()
            while self._queue:  # what came while the last of it was being done
                await self.flush()
        except GatewayError as error:
            fate = "are lost" if self._journal is None else "wait in the journal for the next start"
            log.error(f"{self._what} {fate}", rows=len(self._queue), reason=error.operator_detail)
        if self._journal is not None:
            self._journal.close(stored=not self._queue)

    async def _write_all(self) -> None:
        """What is there now; what comes meanwhile waits, or a busy gateway would keep whoever flushes for ever."""
        last = self.last
        if self._journal is not None:
            self._journal.rotate(last)
        while self._gone < last:
            batch = [self._queue[index] for index in range(min(BATCH, last - self._gone))]
            try:
                await self._database.run(partial(self._written, batch))
            except (Conflict, InvalidInput):
                await self._write_singly(batch)
                continue
            for _ in batch:
                self._let_go()
        if self._journal is not None:
            self._journal.release(self._gone)
            if not self._queue:
                self._journal.rotate(self._gone)
                self._journal.release(self._gone)
        if self._then is not None:
            await self._then()

    async def _write_singly(self, batch: Sequence[Item]) -> None:
        """One row that the database refuses must not hold up the others. Each leaves the queue by itself: the database
        may go away in between.
        """
        for item in batch:
            try:
                await self._database.run(partial(self._written, [item]))
            except (Conflict, InvalidInput) as error:
                self.lost += 1
                log.error(f"{self._what}: one is lost, the database refuses it", reason=error.operator_detail)
            self._let_go()

    def _let_go(self) -> None:
        self._queue.popleft()
        self._gone += 1

    def _written(self, batch: Sequence[Item], session: Session) -> None:
        self._write(session, batch)


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _seen(task: "asyncio.Task[None]") -> None:
    """Whoever waited for it may have left; its failure is kept for the next one who asks."""
    if not task.cancelled():
        task.exception()
