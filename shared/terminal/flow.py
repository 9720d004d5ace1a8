"""Holding up a source for a moment, so that those who read on by cursor miss nothing of a flood."""

import asyncio
import time
from collections.abc import Callable

HOLD = 1.0
"""Seconds that a source is held up at most for a reader who does not come back."""


class Flow:
    """What stands between a scrollback and the source that fills it."""

    def __init__(self) -> None:
        self.held = False
        self._source: Callable[[bool], object] = bool
        self._claims: dict[str, tuple[int, float]] = {}
        self._start = self._floor = 0
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, source: Callable[[bool], object]) -> None:
        """Name the source: it is called with True to be held up, and with False to go on."""
        self._set(False)
        self._source = source

    def claim(self, reader: str, cursor: int) -> None:
        """A reader has read up to there, and may come back for what follows."""
        self._claims[reader] = cursor, time.monotonic() + HOLD
        self._decide()

    def near(self, start: int, floor: int) -> None:
        """The scrollback begins at `start`; what is before `floor` may be lost with what comes next."""
        self._start, self._floor = start, floor
        if self._claims:
            self._decide()

    def _decide(self) -> None:
        now = time.monotonic()
        self._claims = {reader: claim for reader, claim in self._claims.items() if claim[1] > now}
        waited_for = [until for cursor, until in self._claims.values() if self._start <= cursor < self._floor]
        self._set(bool(waited_for))
        if waited_for:
            self._timer = asyncio.get_running_loop().call_later(max(waited_for) - now, self._decide)

    def _set(self, held: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if held != self.held:
            self.held = held
            self._source(held)
