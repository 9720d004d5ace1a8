"""A client that leaves: work for it stops at once."""

import asyncio
from types import TracebackType

from starlette.types import Receive

from http_api.errors import ClientGone


class CancelWhenGone:
    """Inside the block the task is cancelled when the client disconnects; that leaves the block as ClientGone.

    The body must have been read before: from here on, `receive` belongs to the watch.
    """

    __slots__ = ("_cancelling", "_gone", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a client can only be watched from a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._watcher: asyncio.Task[None] | None = task.get_loop().create_task(self._watch())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
        if self._gone and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClientGone from error

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._watcher is not None:
            self._gone = True
            self._task.cancel()
