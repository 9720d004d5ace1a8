"""A cancelled call cleans up in peace."""

import asyncio

import anyio
import pytest

from mcp_gateway.cancellation import in_its_own_task


async def test_results_and_failures_come_through() -> None:
    async def gives() -> int:
        return 7

    async def raises() -> int:
        raise ValueError("no")

    assert await in_its_own_task(gives()) == 7
    with pytest.raises(ValueError, match="no"):
        await in_its_own_task(raises())


async def test_cleaning_up_may_await_although_the_scope_goes_on_cancelling() -> None:
    started, cleaned = asyncio.Event(), []

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            for step in range(5):
                await asyncio.sleep(0.001)
                cleaned.append(step)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_its_own_task, work())
            await started.wait()
            scope.cancel()
    assert cleaned == [0, 1, 2, 3, 4]
    assert scope.cancelled_caught


async def test_plain_cancellation_is_passed_on_once() -> None:
    started, cancelled = asyncio.Event(), []

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    task = asyncio.create_task(in_its_own_task(work()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == [True]
