"""What was spent: counted at once in memory, written to the database in batches, never by the chat itself."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import structlog

from shared.errors import InvalidInput, Unavailable
from shared.storage import usage_rows
from shared.storage.database import Database

log = structlog.stdlib.get_logger(__name__)

PICO = Decimal(10) ** 12
FLUSH_SECONDS = 0.5
BATCH = 500
CAPACITY = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt at an answer. `cost` is None when the price is not known."""

    at: datetime
    request_id: str
    caller: str
    model_id: str
    provider: str
    layer: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost: Decimal | None
    outcome: str
    estimated: bool
    duration_ms: int
    tags: dict[str, str]


@dataclass(slots=True)
class Totals:
    """Live counters since the start of the process."""

    attempts: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)


class Ledger:
    """A bounded queue of entries and the one task that writes them. `lost` counts what had no room."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.totals = Totals()
        self.lost = 0
        self.store = True
        self.alert_threshold = Decimal(0)
        self._database = database
        self._clock = clock
        self._queue: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._today = ("", Decimal(0))
        self._alerted = ""

    def record(self, entry: Entry) -> None:
        """Count an entry and queue it. Never waits."""
        self._count(entry)
        if not self.store:
            return
        if len(self._queue) >= CAPACITY:
            self.lost += 1
            if self.lost == 1:
                log.error("usage rows are being lost: the database does not take them", queued=len(self._queue))
            return
        self._queue.append(entry)
        if len(self._queue) >= BATCH:
            self._wake.set()

    async def run(self) -> None:
        """Write what is queued, for ever."""
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.flush()
            except Unavailable as error:
                log.warning("usage rows wait for the database", queued=len(self._queue), reason=error.operator_detail)

    async def flush(self) -> None:
        """Write everything queued so far. Raises Unavailable and keeps it when the database is away.

        The writing is a task of its own: whoever waits for it may be cancelled without a row being written twice.
        """
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
            self._writer.add_done_callback(_seen)
        await asyncio.shield(self._writer)

    async def _write_all(self) -> None:
        while self._queue:
            batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
            try:
                await self._database.run(partial(usage_rows.add, rows=[_row(entry) for entry in batch]))
            except InvalidInput:
                await self._write_singly(batch)
            for _ in batch:
                self._queue.popleft()

    async def _write_singly(self, batch: list[Entry]) -> None:
        """One row that the database refuses must not hold up the others."""
        for entry in batch:
            try:
                await self._database.run(partial(usage_rows.add, rows=[_row(entry)]))
            except InvalidInput as error:
                self.lost += 1
                log.error(
                    "a usage row is lost: the database refuses it", model=entry.model_id, reason=error.operator_detail
                )

    async def aclose(self) -> None:
        """Write the rest. What the database does not take by now is lost, and the log says how much."""
        try:
            await self.flush()
        except Unavailable as error:
            log.error("usage rows are lost", rows=len(self._queue), reason=error.operator_detail)

    async def load_today(self) -> None:
        """Take up today's spend where the last process left it."""
        now = self._clock()
        start = now.replace(hour=0, minute=0, second=0, microsecond=0)
        sums = await self._database.read(lambda session: usage_rows.summed(session, start, now, "day"))
        self._today = (start.date().isoformat(), sum((cost_of(row) for row in sums), Decimal(0)))

    @property
    def spent_today(self) -> Decimal:
        """US dollars since midnight UTC that this process knows of."""
        day, spent = self._today
        return spent if day == self._clock().astimezone(UTC).date().isoformat() else Decimal(0)

    def _count(self, entry: Entry) -> None:
        totals = self.totals
        totals.attempts += 1
        totals.failed += entry.outcome != "ok"
        totals.prompt_tokens += entry.prompt_tokens
        totals.completion_tokens += entry.completion_tokens
        totals.by_model[entry.model_id] += 1
        totals.by_outcome[entry.outcome] += 1
        if entry.cost is None:
            totals.unpriced += 1
        elif entry.cost:
            totals.cost += entry.cost
            self._spend(entry)

    def _spend(self, entry: Entry) -> None:
        day = entry.at.date().isoformat()
        before = self._today[1] if self._today[0] == day else Decimal(0)
        self._today = (day, before + (entry.cost or 0))
        if self.alert_threshold and self._today[1] >= self.alert_threshold and self._alerted != day:
            self._alerted = day
            log.warning(
                "today's spend has reached COST_ALERT_THRESHOLD",
                spent=str(self._today[1]),
                threshold=str(self.alert_threshold),
            )


def _seen(task: "asyncio.Task[None]") -> None:
    """Whoever waited for it may have left; its failure is kept for the next one who asks."""
    if not task.cancelled():
        task.exception()


def cost_of(row: dict[str, Any]) -> Decimal:
    """The dollars of a summed row."""
    return Decimal(int(row["cost_pico"] or 0)) / PICO


def _row(entry: Entry) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in STORED}  # asdict would copy deeply, on the event loop
    row["cost_pico"] = None if entry.cost is None else int((entry.cost * PICO).to_integral_value())
    return row


STORED = tuple(column.name for column in fields(Entry) if column.name != "cost")
