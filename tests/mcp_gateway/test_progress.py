"""Progress: soon when there is news, from time to time when there is none, never a flood."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcp_gateway.progress import MAX_MESSAGE, Progress, progress_of


class Told:
    """Notes what a client is told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str | None]] = []
        self._arrived = asyncio.Condition()

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        async with self._arrived:
            self.told.append((progress, message))
            self._arrived.notify_all()

    async def count(self, wanted: int) -> None:
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.told) >= wanted)


async def test_news_is_told_and_so_is_a_sign_of_life() -> None:
    told = Told()
    progress = Progress(told, shortest_gap=0.01, longest_gap=0.02)
    progress.say("one")
    telling = asyncio.create_task(progress.run())
    await told.count(3)
    assert [message for _, message in told.told[:3]] == ["one", "one", "one"]
    progress.say("two")
    await told.count(5)
    telling.cancel()
    assert told.told[4][1] == "two"
    numbers = [number for number, _ in told.told]
    assert numbers == sorted(numbers)


async def test_a_flood_of_news_is_told_as_its_last_state() -> None:
    told = Told()
    progress = Progress(told, shortest_gap=0.2, longest_gap=5)
    telling = asyncio.create_task(progress.run())
    for number in range(1000):
        progress.say(f"state {number}")
        if number % 100 == 0:
            await asyncio.sleep(0)
    await told.count(2)
    telling.cancel()
    assert len(told.told) == 2
    assert told.told[1][1] == "state 999"


async def test_of_a_long_text_the_end_is_told() -> None:
    told = Told()
    progress = Progress(told)
    progress.follow(lambda: "a" * 100_000 + "z")
    telling = asyncio.create_task(progress.run())
    await told.count(1)
    telling.cancel()
    message = told.told[0][1] or ""
    assert message.startswith("…a")
    assert message.endswith("az")
    assert len(message) == MAX_MESSAGE + 1


async def test_a_client_that_cannot_be_told_does_not_end_the_call(caplog: pytest.LogCaptureFixture) -> None:
    reached = asyncio.Event()

    class Broken:
        async def report_progress(self, *_: object) -> None:
            reached.set()
            raise ConnectionResetError("gone")

    context = cast("Any", SimpleNamespace(session=Broken()))
    async with progress_of(context, "first") as progress, asyncio.timeout(5):
        await reached.wait()
        progress.news()
    assert "progress could not be told" in caplog.text
