"""A client that leaves: work for it stops at once."""

import asyncio
from types import TracebackType
from typing import Any

from starlette.types import Receive

from http_api.errors import ClientGone

GONE = "gone"
"""In what a server of ours notes of a connection: what to call when it is lost."""


class CancelWhenGone:
    """Inside the block the task is cancelled when the client disconnects; that leaves the block as ClientGone.

    The body must have been read before: from here on, `receive` belongs to the watch. A server that keeps notes of the
    connection calls us itself; with any other, a task of its own has to wait for the news, which costs more.
    """

    __slots__ = ("_cancelling", "_connection", "_gone", "_receive", "_task", "_watcher")

    def __init__(self, receive: Receive, connection: dict[str, Any] | None = None) -> None:
        self._receive = receive
        self._connection = connection
        self._watcher: asyncio.Task[None] | None = None
        self._gone = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a client can only be watched from a task")
        self._task: asyncio.Task[Any] | None = task
        self._cancelling = task.cancelling()
        if self._connection is None:
            self._watcher = task.get_loop().create_task(self._watch())
        else:
            self._connection[GONE] = self._leave

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._connection is not None:
            self._connection.pop(GONE, None)
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and task and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClientGone from error

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        if self._task is not None:
            self._gone = True
            self._task.cancel()
