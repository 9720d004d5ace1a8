"""Waiting for running work before a gateway closes."""

import asyncio
from collections.abc import Callable, Mapping

from shared.structured import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 0.1
TELL_SECONDS = 5.0

Work = Mapping[str, int]
"""Running work: how many of each kind, by its name in the singular."""


async def finish(work: Callable[[], Work], *, within: float, hurried: Callable[[], bool] = lambda: False) -> None:
    """Return once no work is left, `hurried` says so, or the time limit in seconds is reached.

    The log shows every few seconds what is waited for.
    """
    loop = asyncio.get_running_loop()
    end, told = loop.time() + within, float("-inf")
    while (left := in_words(work())) and not hurried():
        now = loop.time()
        if now >= end:
            log.warning("the shutdown grace is over; running work is ended", running=left)
            return
        if now - told >= TELL_SECONDS:
            told = now
            log.info(f"shutting down: waiting for {left}; a second signal ends it at once", seconds=round(end - now))
        await asyncio.sleep(min(LOOK_SECONDS, end - now))
    if told > float("-inf") and not hurried():
        await asyncio.sleep(LOOK_SECONDS)  # for answers that are not written out yet


def in_words(work: Work) -> str:
    """The work as text, such as "2 streams, 1 command"; empty without any."""
    return ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in work.items() if count)
