"""Send what many tasks want sent at the same time as one batch: one transaction, one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """While one batch is on its way the next one gathers; nobody waits for a timer.

    `send` takes the items in the order they came and gives one answer for each, or raises for all of them. An item
    once put is sent, even if the task that put it is cancelled while it waits.
    """

    def __init__(self, send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, size: int = 256) -> None:
        self._send = send
        self._size = size
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Answer:
        """Send the item with the next batch. Raises what `send` raises."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._run())
        return await future

    async def drained(self) -> None:
        """Wait until everything put so far is sent or has failed."""
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def _run(self) -> None:
        while self._waiting:
            batch = self._waiting[: self._size]
            del self._waiting[: self._size]
            # gather turns whatever goes wrong into a value, so that no waiting task is left hanging
            (outcome,) = await asyncio.gather(self._send_all(batch), return_exceptions=True)
            for index, (_, future) in enumerate(batch):
                if future.done():
                    continue
                if isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome[index])

    async def _send_all(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> Sequence[Answer]:
        return await self._send([item for item, _ in batch])
