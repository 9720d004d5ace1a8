"""The use of a session: how many use it just now, and how long ago the last one left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Uses:
    """`last` is when a use began or ended last."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.now = 0
        self._clock = clock
        self.touch()

    @contextmanager
    def during(self) -> Iterator[None]:
        """Count as a use for as long as the block lasts."""
        self.now += 1
        self.touch()
        try:
            yield
        finally:
            self.now -= 1
            self.touch()

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last use; 0 during one."""
        return 0 if self.now else time.monotonic() - self._at

    def touch(self) -> None:
        """Note a use that has no length."""
        self.last = self._clock()
        self._at = time.monotonic()
