"""Alerts about spending: each raised once, by one of all processes; logged, kept, and sent to a webhook if there is one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

from sqlmodel import Session

from shared.domain.alerts import Alert
from shared.errors import Unavailable
from shared.storage import alert_rows
from shared.storage.database import Database
from shared.structured import get_logger

log = get_logger(__name__)

RETRY_SECONDS = 5.0
CLOSE_SECONDS = 2.0

Deliver = Callable[[str, Alert], Awaitable[None]]
"""Sends an alert of a period somewhere, and deals with its own failures."""


class Alerts:
    """Raises alerts in the background, so that no chat waits for the database or for a webhook."""

    def __init__(self, database: Database, deliver: Deliver | None = None) -> None:
        self._database = database
        self._deliver = deliver
        self._delivering = asyncio.Lock()
        self._raised: dict[str, tuple[str, Decimal, Decimal]] = {}
        self._recent: list[Alert] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def raise_once(self, key: str, period: str, alert: Alert, *, limit: Decimal = Decimal(0)) -> None:
        """Raise an alert, unless that key's was raised in this period at this threshold or a higher one.

        A `limit` is what the threshold is a share of: below one that has been lowered since, nothing was raised yet.
        `key` is at most 90 characters. Never waits, and costs next to nothing when the alert was raised before, so it
        may be called again for as long as the threshold is passed.
        """
        before, threshold, known = self._raised.get(key, ("", Decimal(0), Decimal(0)))
        if before == period and threshold >= alert.threshold_usd and known <= limit:
            return
        self._raised[key] = (period, alert.threshold_usd, limit)
        task = asyncio.create_task(self._raise(key, period, alert, limit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def recent(self) -> list[Alert]:
        """The last alerts of all processes, newest first; without the database, those last known."""
        with suppress(Unavailable):
            self._recent = await self._database.read(alert_rows.recent)
        return self._recent

    async def settled(self) -> None:
        """Wait until every alert so far is raised, and delivered or given up."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Give what is under way a moment to end, then end it."""
        under_way = len(self._tasks)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.settled()
        except TimeoutError:
            log.warning("alerts were still being raised or delivered at the end", alerts=under_way)

    async def _raise(self, key: str, period: str, alert: Alert, limit: Decimal) -> None:
        if not await self._claimed(partial(alert_rows.claim, key=key, period=period, alert=alert, limit=limit), alert):
            return
        log.warning(
            alert.message, event_kind=alert.kind, spent=str(alert.spent_usd), threshold=str(alert.threshold_usd)
        )
        if self._deliver is not None:
            async with self._delivering:  # one after the other: many at once are what webhooks refuse
                await self._deliver(period, alert)

    async def _claimed(self, work: Callable[[Session], bool], alert: Alert) -> bool:
        """Whether it is this process that raises it; waits for a database that is away."""
        while True:
            try:
                return await _carried_through(self._database.run(work))
            except Unavailable as error:
                log.warning("an alert waits for the database", alert=alert.message, reason=error.operator_detail)
            await asyncio.sleep(RETRY_SECONDS)


async def _carried_through(work: Coroutine[Any, Any, bool]) -> bool:
    """Its thread holds a connection, which must not outlive the database: cancelling waits for it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
