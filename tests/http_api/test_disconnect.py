import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from http_api.disconnect import CancelWhenGone
from http_api.errors import ClientGone


def leaving(gone: asyncio.Event) -> Callable[[], Any]:
    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


async def test_work_that_ends_first_is_left_alone() -> None:
    before = asyncio.all_tasks()
    with CancelWhenGone(leaving(asyncio.Event())):
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks() - before) == 1
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_client_that_leaves_stops_the_work_at_once() -> None:
    gone, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        with CancelWhenGone(leaving(gone)):
            gone.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    with pytest.raises(ClientGone):
        await work()
    assert stopped.is_set()
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0
    await asyncio.sleep(0)


async def test_what_the_client_still_sends_is_no_departure() -> None:
    messages = [{"type": "http.request", "body": b""}]
    arrived = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        arrived.set()
        return await asyncio.get_running_loop().create_future()

    with CancelWhenGone(receive):
        await asyncio.wait_for(arrived.wait(), 5)


async def test_an_error_of_the_work_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), CancelWhenGone(leaving(asyncio.Event())):
        raise ZeroDivisionError


async def test_another_cancellation_stays_one() -> None:
    gone = asyncio.Event()

    async def work() -> None:
        with CancelWhenGone(leaving(gone)):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_time_out_inside_is_told_apart_from_a_departure() -> None:
    with CancelWhenGone(leaving(asyncio.Event())), pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
