"""A second attempt beside one that takes longer than usual: whoever answers first is heard, the other is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SHARE = 0.1
SAVED_UP = 10.0


class HedgeAllowance:
    """At most one request in ten is hedged, or a few at once after a quiet time."""

    def __init__(self) -> None:
        self._saved = 1.0

    def count(self) -> None:
        """A request that may be hedged has come."""
        self._saved = min(self._saved + SHARE, SAVED_UP)

    def take(self) -> bool:
        """Whether one more may be hedged now."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


async def raced(
    first: Awaitable[T | None],
    second: Callable[[], Awaitable[T | None]],
    *,
    after: float,
    drop: Callable[[T], Awaitable[None]],
) -> T | None:
    """What the first gives, or, when it takes longer than `after` seconds, what comes first of the two.

    None stands for a failure that is dealt with; it is the answer only when both end so. What one of them raises is
    raised when the other does not answer either. Whoever is not heard is cancelled, or handed to `drop` when it has
    answered too, and has ended when this returns.
    """
    heard: asyncio.Future[T | None] | None = None
    raised: BaseException | None = None
    tasks = {asyncio.ensure_future(first)}
    try:
        await asyncio.wait(tasks, timeout=after)
        if not any(task.done() for task in tasks):
            tasks.add(asyncio.ensure_future(second()))
        running = set(tasks)
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is not None:
                    raised = raised or error
                elif task.result() is not None:
                    heard = task
                    return task.result()
        if raised is not None:
            raise raised
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks - {heard}:
            if not task.cancelled() and task.exception() is None and (late := task.result()) is not None:
                await drop(late)
