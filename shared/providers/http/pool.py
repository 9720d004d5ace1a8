"""The connections to all providers: kept while idle, so many for each origin, the next in line served first."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from shared.providers.http.connection import Connection
from shared.providers.http.dialing import Dialer, NotInTime
from shared.providers.http.target import Origin

KEEP_ALIVE_SECONDS = 60.0
SWEEP_SECONDS = 30.0


@dataclass(slots=True)
class _Place:
    """What there is for one origin. `open` counts those being opened too; a waiter gets a connection, or None to look again."""

    idle: list[Connection] = field(default_factory=list)
    waiting: deque[asyncio.Future[Connection | None]] = field(default_factory=deque)
    open: int = 0


class Pool:
    """Belongs to one event loop."""

    def __init__(self, dialer: Dialer, *, most: int) -> None:
        self._dialer = dialer
        self._most = most
        self._places: dict[Origin, _Place] = {}
        self._all: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def idle(self, origin: Origin) -> Connection | None:
        """A connection that is ready, the one used last; None where there is none."""
        place = self._places.get(origin)
        while place is not None and place.idle:
            connection = place.idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return None

    async def opened(self, origin: Origin, *, connect_seconds: float, deadline: float) -> Connection:
        """A connection, new or freed by somebody. Raises OSError, TimeoutError, ValueError."""
        place = self._places.setdefault(origin, _Place())
        async with asyncio.timeout_at(deadline):
            while True:
                if place.open < self._most:
                    return await self._dialed(origin, place, connect_seconds)
                connection = await self._freed(origin, place)
                if connection is not None and connection.reusable:
                    return connection

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """It is not used any more; whoever waits longest has it next, if it can be used again."""
        place = self._places[origin]
        if not connection.reusable:
            connection.close()
            return
        while place.waiting:
            waiter = place.waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        connection.headers = {}  # what an idle one would only keep in memory
        place.idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in tuple(self._all):
            connection.close()
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    async def _dialed(self, origin: Origin, place: _Place, seconds: float) -> Connection:
        connection = Connection(asyncio.get_running_loop(), lambda lost: self._lost(place, lost))
        place.open += 1
        self._all.add(connection)
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._dialer.dial(origin, connection)
        except BaseException as error:
            self._lost(place, connection)
            if isinstance(error, TimeoutError) and limit.expired():
                raise NotInTime(f"no connection within {seconds:g} s") from error
            raise
        return connection

    async def _freed(self, origin: Origin, place: _Place) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        place.waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(origin, place, waiter.result())
            raise

    def _pass_on(self, origin: Origin, place: _Place, connection: Connection | None) -> None:
        if connection is None:
            self._tell_next(place)
        else:
            self.give_back(origin, connection)

    def _lost(self, place: _Place, connection: Connection) -> None:
        """One is gone, so there is room for another."""
        if connection not in self._all:
            return
        self._all.discard(connection)
        place.open -= 1
        if connection in place.idle:
            place.idle.remove(connection)
        self._tell_next(place)

    def _tell_next(self, place: _Place) -> None:
        while place.waiting:
            waiter = place.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _sweep(self) -> None:
        """Close what has been idle for too long, the longest first."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEP_ALIVE_SECONDS
        for place in self._places.values():
            for connection in [each for each in place.idle if each.idle_since < oldest]:
                place.idle.remove(connection)
                connection.close()
        if any(place.idle for place in self._places.values()):
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)
