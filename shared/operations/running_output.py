"""The output of a running command, as it comes, then its result."""

import asyncio
from collections.abc import AsyncIterator

from shared.domain.run_events import RunEvent, RunFinished, RunOutput
from shared.domain.terminal import CommandResult, OutputStream

MAX_WAITING_OUTPUT = 64 * 1024


class Waiting:
    """Output that has not been taken yet. A slow taker misses some of it, since the result has it all the same."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._events: list[RunOutput] = []
        self._size = 0

    def add(self, stream: OutputStream, text: str) -> None:
        """Put some output in, if there is room."""
        if self._size < MAX_WAITING_OUTPUT:
            self._events.append(RunOutput(stream, text))
            self._size += len(text)
        self.changed.set()

    def take(self) -> list[RunOutput]:
        """All there is."""
        self.changed.clear()
        events, self._events, self._size = self._events, [], 0
        return events


async def events(work: "asyncio.Task[CommandResult]", waiting: Waiting) -> AsyncIterator[RunEvent]:
    """What waits, until the command has ended; its result at last."""
    while True:
        await waiting.changed.wait()
        for event in waiting.take():
            yield event
        if work.done():
            break
    for event in waiting.take():
        yield event
    yield RunFinished(work.result())
