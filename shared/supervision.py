"""Background jobs under supervision: a job that fails is started again after a pause that doubles."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.structured import get_logger

log = get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
STEADY_SECONDS = 60.0
"""A job that ran this long before it failed begins with the first pause again."""

JobState = Literal["running", "restarting", "finished"]
Start = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Job:
    """What is known of one background job: its state, and how often it was started again."""

    state: JobState = "running"
    restarts: int = 0


class Jobs:
    """The background jobs of one gateway, each started again when it fails."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._jobs: dict[str, Job] = {}
        self._behind_since: float | None = monotonic()

    @property
    def states(self) -> Mapping[str, Job]:
        """Every job by name."""
        return self._jobs

    @property
    def restarting(self) -> tuple[str, ...]:
        """Names of the jobs that failed and wait to be started again."""
        return tuple(name for name, job in self._jobs.items() if job.state == "restarting")

    @property
    def behind_seconds(self) -> float:
        """Seconds since something that other processes may change was found to be not known to be current; 0 while all is."""
        return 0.0 if self._behind_since is None else self._monotonic() - self._behind_since

    def refreshing(self) -> None:
        """Note that something may have changed."""
        if self._behind_since is None:
            self._behind_since = self._monotonic()

    def refreshed(self) -> None:
        """Note that everything that other processes may change is current."""
        self._behind_since = None

    async def run(self, name: str, start: Start) -> None:
        """Run a job until it returns or this task is cancelled."""
        job = self._jobs[name] = Job()
        pause = FIRST_PAUSE
        while True:
            began = self._monotonic()
            error = await _outcome(start(), name)
            if error is None:
                job.state = "finished"
                return
            if self._monotonic() - began >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            log.error("a background job failed; it is started again", job=name, pause_seconds=pause, exc_info=error)
            job.state = "restarting"
            await asyncio.sleep(pause)
            job.restarts += 1
            job.state = "running"
            pause = min(2 * pause, LONGEST_PAUSE)


async def _outcome(work: Coroutine[Any, Any, None], name: str) -> BaseException | None:
    """Run to the end and return the exception that ended it, if any. A cancelled caller cancels the work."""
    task = asyncio.create_task(work, name=name)
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return asyncio.CancelledError() if task.cancelled() else task.exception()
