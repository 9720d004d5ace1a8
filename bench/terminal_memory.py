"""Memory of a process while something is done with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from processes import MIB, Child

EVERY_SECONDS = 0.02


class Memory:
    """Resident MiB of the process itself: at the beginning, and the most since then."""

    def __init__(self, process: Child) -> None:
        self._process = process.tree[0]
        self.first = self.most = self._now()

    @property
    def growth_mib(self) -> float:
        """The most it had above the beginning."""
        return self.most - self.first

    def look(self) -> None:
        """Take it in."""
        self.most = max(self.most, self._now())

    def _now(self) -> float:
        return float(self._process.memory_info().rss) / MIB


@contextmanager
def watched(process: Child) -> Iterator[Memory]:
    """Look at it all the time inside the block."""
    memory, ended = Memory(process), threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY_SECONDS):
            memory.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
        memory.look()
