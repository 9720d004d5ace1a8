"""What was spent: counted at once in memory, written to the database in batches, never by the chat itself."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

import anyio.to_thread
import orjson
from sqlmodel import Session

from shared.domain.alerts import Alert
from shared.domain.money import plain
from shared.errors import GatewayError
from shared.storage import usage_summing, usage_sums
from shared.storage.database import Database
from shared.storage.journal import File, Journal
from shared.storage.row_ids import row_ids
from shared.storage.write_behind import WriteBehind
from shared.structured import get_logger
from shared.usage.alerts import Alerts
from shared.usage.totals import Day, Totals

log = get_logger(__name__)

PICO = Decimal(10) ** 12
CAPACITY = 100_000
OTHERS_SECONDS = 10.0
"""So often, at most, a process that writes looks at what the others have spent today."""
PAUSE_SECONDS = 0.1
"""Who waits for SQLite's lock looks for it so often."""
TAKEN_AT_ONCE = 10_000
"""Rows of another process's journal that are queued at the same time."""


@dataclass(slots=True, kw_only=True)  # made for every chat, and freezing doubles what that costs; nobody changes it
class Entry:
    """One attempt at an answer. `cost` is None when the price is not known.

    `request_id` may be the client's own, and the same for many chats; `chat_id` is ours, another for each.
    `purpose` says what it was for: "answer", or something that the gateway did besides ("hedge", "agreement",
    "review", "arbitration", "self-check", "escalation").
    """

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
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    purpose: str = "answer"
    trace_id: str = ""
    chat_id: str = ""
    first_token_seconds: float | None = None
    """For metrics only; it is not stored."""


Queued = tuple[int, Entry]
"""An entry under the id of its row, by which it is stored once."""


class Ledger:
    """Counts entries, and queues them for the database unless `store` is off.

    What waits for the database is in the `journal` too, so that a process that is killed loses none of it.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        alerts: Alerts | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.totals = Totals()
        self.store = True
        self._database = database
        self._clock = clock
        self._alerts = alerts
        self._threshold = Decimal(0)
        self._alerted = ("", Decimal(0))
        self._row_ids = row_ids()
        self._queue: WriteBehind[Queued] = WriteBehind(
            database, self._write, what="usage rows", capacity=CAPACITY, then=self._look_at_others, journal=journal
        )
        self._journal = journal
        self._summing = usage_summing.Summing(database, clock)
        self._today = Day("")
        self._looked = clock()

    def record(self, entry: Entry) -> None:
        """Count an entry and queue it. Never waits.

        It is on the path of every chat, so that the counting is done in place.
        """
        totals = self.totals
        totals.attempts += 1
        totals.failed += entry.outcome != "ok"
        totals.prompt_tokens += entry.prompt_tokens
        totals.completion_tokens += entry.completion_tokens
        totals.by_model[entry.model_id] += 1
        totals.by_outcome[entry.outcome] += 1
        totals.by_purpose[entry.purpose] += 1
        totals.unpriced += entry.cost is None
        model = totals.models.get((entry.provider, entry.model_id)) or totals.named(entry.provider, entry.model_id)
        model.add(entry)
        if entry.cost != 0:
            totals.cost += entry.cost or 0
            date = (entry.at if entry.at.tzinfo is UTC else entry.at.astimezone(UTC)).date().isoformat()
            today = self._today if self._today.date == date else Day(date)
            self._today = Day(date, today.cost + (entry.cost or 0), today.unpriced + (entry.cost is None))
            if entry.cost is not None and 0 < self._threshold <= self._today.cost:
                self._compare()
        if self.store:
            row_id = next(self._row_ids)
            if self._queue.put((row_id, entry)) and self._journal is not None:
                self._journal.append(_line(row_id, entry))

    @property
    def queued(self) -> int:
        """How many wait for the database."""
        return len(self._queue)

    @property
    def lost(self) -> int:
        """How many had no room, or were refused by the database."""
        return self._queue.lost

    @property
    def not_journaled(self) -> int:
        """How many entries were in memory only while they waited."""
        return 0 if self._journal is None else self._journal.missed

    async def open_journal(self) -> None:
        """Begin to keep a journal, and take over those of processes that were killed. Raises Unavailable."""
        if self._journal is not None:
            await anyio.to_thread.run_sync(self._journal.open)
            await self.take_over()

    async def take_over(self) -> None:
        """Write what processes that were killed left in their journals. Raises Unavailable; it stays there then.

        Rows that are stored already are skipped, by their ids.
        """
        journal = self._journal
        while journal is not None and (file := await anyio.to_thread.run_sync(journal.left)) is not None:
            try:
                await self._take_over(*await anyio.to_thread.run_sync(_read, file))
            except BaseException:
                file.close()
                raise
            file.delete()

    async def _take_over(self, found: Sequence[Queued], unreadable: int) -> None:
        await self._queue.flush()
        for start in range(0, len(found), TAKEN_AT_ONCE):
            for queued in found[start : start + TAKEN_AT_ONCE]:
                self._queue.put(queued)
            await self._queue.flush()
        if found or unreadable:
            (log.warning if unreadable else log.info)(
                "usage rows of a process that was killed are stored", rows=len(found), unreadable=unreadable
            )

    async def run(self) -> None:
        """Write what is queued, for ever."""
        await self._queue.run()

    async def flush(self) -> None:
        """Write everything queued so far. Raises Unavailable and keeps it when the database is away."""
        await self._queue.flush()

    async def aclose(self) -> None:
        """Write the rest, if the database takes it."""
        await self._queue.aclose()

    async def sum_up(self) -> None:
        """Sum up the hours that are past, so that reports need not read every row. Raises Unavailable.

        Others write meanwhile: between two hours they have as long as one took.
        """
        began = time.monotonic()
        while await self._summing.one_hour():
            await asyncio.sleep(max(PAUSE_SECONDS, time.monotonic() - began))
            began = time.monotonic()

    def _write(self, session: Session, queued: Sequence[Queued]) -> None:
        usage_summing.add(session, [_row(row_id, entry) for row_id, entry in queued], now=self._clock())

    async def load_today(self) -> None:
        """Take up today's spend as the database has it, of all processes, and what this one has yet to write.

        Only where nothing is being written meanwhile.
        """
        self._looked = self._clock()
        start = self._looked.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=1)
        (sums,) = await self._database.read(lambda session: usage_sums.summed(session, start, end, None))
        day = Day(_date(start), cost_of(sums), sums["unpriced"])
        for _, entry in self._queue:
            if _date(entry.at) == day.date:
                day = day.plus(entry.cost)
        self._today = day.at_least(self._today)  # what was counted while nothing was stored is in no database
        self._compare()

    async def _look_at_others(self) -> None:
        if self._clock() - self._looked >= timedelta(seconds=OTHERS_SECONDS):
            with suppress(GatewayError):  # the rows are written; the others' can wait
                await self.load_today()

    def watch(self, threshold: Decimal) -> None:
        """Raise an alert once a day when the day's spend reaches so many dollars; 0 never does."""
        self._threshold = threshold
        self._compare()

    @property
    def today(self) -> Day:
        """What was spent since midnight UTC, as far as this process knows."""
        date = _date(self._clock())
        return self._today if self._today.date == date else Day(date)

    def _compare(self) -> None:
        if self._alerts is None or not self._threshold:
            return
        today = self.today
        reached = (today.date, self._threshold)
        if reached != self._alerted and today.cost >= self._threshold:
            self._alerted = reached
            self._alerts.raise_once("cost_threshold", today.date, self._alert(today.date, today.cost))

    def _alert(self, date: str, spent: Decimal) -> Alert:
        return Alert(
            at=self._clock(),
            kind="cost_threshold_reached",
            message=f"The spend of {date} (UTC) has reached ${plain(spent)}; COST_ALERT_THRESHOLD is ${plain(self._threshold)}.",
            spent_usd=spent,
            threshold_usd=self._threshold,
        )


def _date(moment: datetime) -> str:
    day = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{day.year:04}-{day.month:02}-{day.day:02}"


def cost_of(row: dict[str, Any]) -> Decimal:
    """The dollars of a summed row."""
    return Decimal(int(row["cost_pico"] or 0)) / PICO


def _row(row_id: int, entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(entry, name) for name in STORED}  # asdict would copy deeply, on the event loop
    row["row_id"] = row_id
    row["cost_pico"] = None if entry.cost is None else int((entry.cost * PICO).to_integral_value())
    return row


def _line(row_id: int, entry: Entry) -> bytes:
    """An entry as a line of the journal: JSON without names, which would double what it costs."""
    values = row_id, None if entry.cost is None else str(entry.cost), VALUES(entry)
    try:
        return orjson.dumps(values)
    except TypeError:  # lone surrogates, and whole numbers of more than 64 bits
        return json.dumps(values, default=str).encode()


def _read(file: File) -> tuple[list[Queued], int]:
    """The rows in a file of a journal, and the number of lines that are none: cut off, or of a version too different."""
    lines = file.lines()
    found = [queued for queued in map(_queued_of, lines) if queued is not None]
    return found, len(lines) - len(found)


def _queued_of(line: bytes) -> Queued | None:
    """What a line says, of another version too: fields are only ever added at the end. None for one that was cut off."""
    try:
        row_id, cost, values = json.loads(line)
        known = dict(zip(STORED, values, strict=False))
        known |= {"at": datetime.fromisoformat(known["at"]), "cost": None if cost is None else Decimal(cost)}
        return int(row_id), Entry(**known)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return None


STORED = tuple(column.name for column in fields(Entry) if column.name not in ("cost", "first_token_seconds"))
VALUES = attrgetter(*STORED)
