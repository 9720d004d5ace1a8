"""Background jobs: a failure is not the end of one, and what ends the gateway ends them."""

import asyncio

import pytest

from shared import supervision
from shared.supervision import Jobs


async def test_a_job_that_fails_is_started_again_and_one_that_returns_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.0)
    jobs, starts = Jobs(), 0

    async def fails_twice() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise RuntimeError("a bug")

    async with asyncio.timeout(5):
        await jobs.run("job", fails_twice)
    assert starts == 3
    assert (jobs.states["job"].state, jobs.states["job"].restarts) == ("finished", 2)


async def test_a_job_ends_with_the_task_that_supervises_it() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(Jobs().run("job", endless))
    async with asyncio.timeout(5):
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert ended.is_set()
