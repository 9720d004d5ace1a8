"""One task makes a thing, those who want the same meanwhile wait for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from shared.errors import GatewayError

T = TypeVar("T")

FAILURES = 2
"""So many in a row, and those who wait are told of the last one instead of trying it one after the other."""

OWN_FAULTS = frozenset({"request_timeout"})
"""Failures that say something of the one who asked, and nothing of what was asked for."""


class Flight(Generic[T]):
    """What is being made under one key. Whoever has the turn finds `value` there, or makes it and puts it there."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.unfit = False
        self.failures = 0
        self.error: GatewayError | None = None
        self.users = 0
        self.turn = asyncio.Lock()

    def landed(self, value: T | None) -> None:
        """It is made. None: it is of no use to anybody else, so that waiting for it is of none either."""
        self.value = value
        self.unfit = value is None
        self.failures = 0

    def failed(self, error: GatewayError) -> None:
        """It could not be made."""
        self.failures += error.code not in OWN_FAULTS
        self.error = error if self.failures >= FAILURES else None


class Flights(Generic[T]):
    """The flights under way, each there for as long as somebody uses it."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._flights)

    @asynccontextmanager
    async def turn(self, key: str, patience: float | None) -> AsyncIterator[Flight[T]]:
        """Wait for one's turn, which ends with the block: the next in line has it then, whatever went wrong.

        After `patience` seconds, and where there is nothing to wait for, one goes on without. Raises what others were
        told who asked for the same.
        """
        flight = self.join(key)
        try:
            holds = await _waited(flight, patience)
            try:
                if flight.error is not None:
                    raise flight.error.with_traceback(None)
                yield flight
            except GatewayError as error:
                flight.failed(error)
                raise
            finally:
                if holds:
                    flight.turn.release()
        finally:
            self.leave(key, flight)

    def join(self, key: str) -> Flight[T]:
        """Use the flight under that key; `leave` must follow."""
        flight = self._flights.setdefault(key, Flight())
        flight.users += 1
        return flight

    def leave(self, key: str, flight: Flight[T]) -> None:
        """Use it no more."""
        flight.users -= 1
        if not flight.users or flight.error is not None:
            self._drop(key, flight)

    def forget(self, prefix: str) -> None:
        """Whoever comes from now on begins anew; those who wait stay together."""
        for key in [key for key in self._flights if key.startswith(prefix)]:
            del self._flights[key]

    def _drop(self, key: str, flight: Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _waited(flight: Flight[Any], patience: float | None) -> bool:
    """Whether it is one's turn now, and nobody else's."""
    try:
        async with asyncio.timeout(patience):
            await flight.turn.acquire()
    except TimeoutError:
        return False
    if flight.unfit:
        flight.turn.release()
    return not flight.unfit
