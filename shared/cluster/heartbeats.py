"""Which of the other processes are there: those that say so again and again, whatever time their clocks show."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.structured import get_logger

log = get_logger(__name__)

BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
"""A process that has said nothing for so long has died; its sessions died with it."""
SKEW_SECONDS = 5.0


class _Word(NamedTuple):
    """What a process said last: the time by its clock, and when we heard it by ours."""

    seen: float
    heard: float


class Heartbeats:
    """Remembers what each said last, and when that last changed."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._words: Mapping[str, _Word] = {}
        self._looked = monotonic()
        self._warned: set[str] = set()

    def live(self, seen: Mapping[str, float], *, now: float) -> set[str]:
        """Those that are there. `seen` is what each said last, `now` the time as this process would say it.

        A process that is new to us is believed, until it says more. What nobody looked for is no silence.
        """
        at = self._monotonic()
        unwatched = max(0.0, at - self._looked)
        words: dict[str, _Word] = {}
        for name, said in seen.items():
            known = self._words.get(name)
            if known is None:
                heard = at - max(0.0, now - said)
            elif known.seen == said:
                heard = known.heard + max(0.0, unwatched - BEAT_SECONDS)
            else:
                heard = at
                self._compare(name, now - said, unwatched)
            words[name] = _Word(said, heard)
        self._words, self._looked = words, at
        return {name for name, word in words.items() if at - word.heard <= GONE_SECONDS}

    def _compare(self, name: str, age: float, unwatched: float) -> None:
        """Warn once of a clock that differs: what was said since the last look is no older than that."""
        behind = age - unwatched if age > unwatched else min(age, 0.0)
        if abs(behind) > SKEW_SECONDS and name not in self._warned:
            self._warned.add(name)
            log.warning(
                "a machine's clock differs from this one's; set both", node=name, seconds_behind=round(behind, 1)
            )
