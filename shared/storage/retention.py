"""Deletion of old rows: in small batches with pauses between them, by one process of a gateway at a time."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from sqlmodel import Session

from shared.storage import exclusive
from shared.storage.database import Database
from shared.structured import get_logger

log = get_logger(__name__)

TURN = "retention:turn"
"""The fact that says who deletes, and until when nobody else does."""
BATCH = 1000
"""Rows that one transaction deletes; SQLite keeps writers waiting for that long, PostgreSQL does not."""
SHORTEST_PAUSE = 0.02

Step = Callable[[Session, int], int]
"""Deletes up to that many rows; returns how many, 0 when none are left."""


class Retention:
    """Deletes what is older than it may be, in one process of a gateway at a time; `steps` are by table."""

    def __init__(self, database: Database, clock: Callable[[], datetime], steps: Mapping[str, Step]) -> None:
        self._database = database
        self._steps = steps
        self._turn = exclusive.Turn(TURN, exclusive.RETENTION, clock)

    async def prune(self) -> Mapping[str, int]:
        """Delete what is due; returns how many rows of each table. Nothing while another process does. Raises Unavailable.

        Between two batches others have as long as one took.
        """
        try:
            if not await self._database.run(self._take_turn):
                return {}
            done = {name: await self._finished(step) for name, step in self._steps.items()}
        finally:  # also when the gateway stops
            await self._database.run(self._turn.leave)
        if any(done.values()):
            log.info("old rows were deleted", **done)
        return done

    async def _finished(self, step: Step) -> int:
        total = 0
        while True:
            began = time.monotonic()
            count = await self._database.run(partial(self._batch, step=step))
            if not count:
                return total
            total += count
            await asyncio.sleep(max(SHORTEST_PAUSE, time.monotonic() - began))

    def _batch(self, session: Session, step: Step) -> int:
        return step(session, BATCH) if self._turn.keep(session) else 0

    def _take_turn(self, session: Session) -> bool:
        free = self._turn.is_free(session)
        if free:
            self._turn.take(session)
        return free
