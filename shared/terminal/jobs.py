"""Jobs that are told to stop and then waited for, since they must not be cancelled halfway."""

import asyncio

import anyio

from shared.domain.terminal import CommandResult


async def unless_cancelled(job: asyncio.Task[CommandResult], stop: asyncio.Event) -> CommandResult:
    """The job's result. When the wait for it is cancelled, the job is told to stop, and has stopped, before that."""
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        stop.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({job})
        if not job.cancelled():
            job.exception()  # seen: the caller that waited for it may have left
        raise
