"""Cancelling a call once, and waiting until it has cleaned up."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def in_its_own_task(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` so that a cancelled call reaches it as one cancellation, and is over only when `work` is.

    The protocol's cancel scopes cancel again at every await, which would cut short what the core awaits while it
    closes a connection or ends a process tree.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(task, return_exceptions=True)
        raise
