"""How many commands an API key may run in a day, and for how long: counted in the database, exactly over all processes."""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
from sqlmodel import Session

from shared.domain.identity import Caller
from shared.errors import Forbidden, RateLimited, Unavailable
from shared.storage import command_rows
from shared.storage.database import Database
from shared.structured import get_logger

log = get_logger(__name__)

CODE = "command_limit_reached"


class CommandLimits:
    """Sets the time of a command aside before it runs, and gives back what it did not take.

    A process that is killed gives nothing back: what its commands might have taken counts as used.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def counted(self, caller: Caller, seconds: float) -> AsyncIterator[float]:
        """A block in which a command of the caller runs; gives the seconds that it may take, at most those wanted.

        Raises RateLimited when the day's commands or seconds are used up, and Unavailable.
        """
        if not caller.commands_are_counted:
            yield seconds
            return
        day = self._day()
        limited = bool(caller.command_seconds_per_day)
        granted = await self._database.run(lambda session: self._set_aside(session, caller, day, seconds))
        began = time.monotonic()
        try:
            yield granted / 1000 if limited else seconds
        finally:
            took = math.ceil((time.monotonic() - began) * 1000)
            with anyio.CancelScope(shield=True):
                await self._settle(caller, day, took - granted)

    def check_typing(self, caller: Caller) -> None:
        """Raises Forbidden for a caller whose commands are counted: what is typed, or goes on in the background, cannot be."""
        if caller.commands_are_counted:
            raise Forbidden(
                "The commands of this API key are counted (commandsPerDay, commandSecondsPerDay), so it types into no shell and "
                "starts nothing in the background; run commands one by one instead.",
                code="commands_are_counted",
            )

    def _set_aside(self, session: Session, caller: Caller, day: str, seconds: float) -> int:
        ran = command_rows.ran(session, caller.id, day)
        if caller.commands_per_day and ran.commands >= caller.commands_per_day:
            raise self._used_up(f"{caller.commands_per_day} commands a day (commandsPerDay)")
        granted = 0
        if caller.command_seconds_per_day:
            left = caller.command_seconds_per_day * 1000 - ran.milliseconds
            if left <= 0:
                raise self._used_up(
                    f"{caller.command_seconds_per_day} seconds of commands a day (commandSecondsPerDay)"
                )
            granted = min(left, math.ceil(seconds * 1000))
        command_rows.add(session, caller.id, day, commands=1, milliseconds=granted)
        return granted

    async def _settle(self, caller: Caller, day: str, more: int) -> None:
        try:
            await self._database.run(
                lambda session: command_rows.add(session, caller.id, day, commands=0, milliseconds=more)
            )
        except Unavailable as error:
            log.warning(
                "the time of a command stays as it was set aside", caller=caller.id, reason=error.operator_detail
            )

    def _day(self) -> str:
        return f"{self._clock().astimezone(UTC):%Y-%m-%d}"

    def _used_up(self, limit: str) -> RateLimited:
        now = self._clock().astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return RateLimited(
            f"This API key may run {limit}, and they are used up or set aside for commands under way; try again after "
            f"{midnight:%Y-%m-%d %H:%M} UTC, or use another key.",
            code=CODE,
            retry_after=math.ceil((midnight - now).total_seconds()),
        )
