"""Batches."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.storage.batching import Batcher


class Sink:
    """Takes batches one at a time, each when it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.failure: BaseException | None = None

    async def send(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.started.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return [item * 10 for item in items]


async def test_what_comes_while_a_batch_is_on_its_way_makes_up_the_next_one() -> None:
    sink = Sink()
    batcher = Batcher(sink.send)
    first = asyncio.create_task(batcher.put(1))
    await asyncio.wait_for(sink.started.wait(), 5)
    others = [asyncio.create_task(batcher.put(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    sink.gate.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert sink.batches == [[1], [2, 3, 4]]


async def test_a_batch_is_never_larger_than_its_size() -> None:
    sink = Sink()
    sink.gate.set()
    batcher = Batcher(sink.send, size=2)
    assert await asyncio.gather(*(batcher.put(number) for number in range(5))) == [0, 10, 20, 30, 40]
    assert sink.batches == [[0, 1], [2, 3], [4]]


async def test_a_failure_reaches_all_of_its_batch_and_no_later_one() -> None:
    sink = Sink()
    sink.gate.set()
    sink.failure = ValueError("no")
    batcher = Batcher(sink.send)
    answers = await asyncio.gather(batcher.put(1), batcher.put(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError, ValueError]
    sink.failure = None
    assert await batcher.put(3) == 30


async def test_an_item_is_sent_although_its_task_is_cancelled() -> None:
    sink = Sink()
    batcher = Batcher(sink.send)
    cancelled = asyncio.create_task(batcher.put(1))
    await asyncio.wait_for(sink.started.wait(), 5)
    waiting = asyncio.create_task(batcher.put(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    sink.gate.set()
    await asyncio.wait_for(batcher.drained(), 5)
    assert sink.batches == [[1], [2]]
