"""Administrators at one session that is not theirs: who, since when, and whether they typed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.watchers import WatcherInfo

AGAIN = timedelta(minutes=1)
"""A pause after which reading or typing counts as begun anew, and leaves another row in the audit trail."""


@dataclass(slots=True)
class _Watcher:
    name: str
    since: datetime
    seen: datetime
    typed: datetime | None = None
    streams: int = 0


class Watchers:
    """They are shown for as long as the session lives, so that its owner learns of them whenever they look."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._watchers: dict[str, _Watcher] = {}

    @property
    def shown(self) -> list[WatcherInfo]:
        """For the owner."""
        return [
            WatcherInfo(
                name=watcher.name,
                since=watcher.since,
                last_seen=self._clock() if watcher.streams else watcher.seen,
                watching=watcher.streams > 0,
                took_over=watcher.typed is not None,
            )
            for watcher in self._watchers.values()
        ]

    def looks(self, caller_id: str, name: str) -> bool:
        """Note that one reads; whether that begins just now."""
        now, watcher = self._clock(), self._watchers.get(caller_id)
        if watcher is None:
            self._watchers[caller_id] = _Watcher(name, now, now)
            return True
        begins, watcher.seen = not watcher.streams and now - watcher.seen > AGAIN, now
        return begins

    def types(self, caller_id: str, name: str) -> bool:
        """Note that one types; whether that begins just now."""
        self.looks(caller_id, name)
        now, watcher = self._clock(), self._watchers[caller_id]
        begins, watcher.typed = watcher.typed is None or now - watcher.typed > AGAIN, now
        return begins

    @contextmanager
    def following(self, caller_id: str) -> Iterator[None]:
        """One who has been noted watches for as long as the block lasts."""
        watcher = self._watchers[caller_id]
        watcher.streams += 1
        try:
            yield
        finally:
            watcher.streams -= 1
            watcher.seen = self._clock()
