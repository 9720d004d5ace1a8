"""Lines from a host and to it: the one read by a thread of its own, the other written without holding up the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable

BLOCK_BYTES = 65536


def read_lines(descriptor: int, give: Callable[[bytes | None], None]) -> None:
    """Give each line to the running loop as it comes, and None at the end.

    A thread reads: it works with pipes, sockets, files and terminals alike. It cannot be stopped, and dies with the process.
    """
    loop = asyncio.get_running_loop()

    def hand_over(line: bytes | None) -> None:
        try:
            loop.call_soon_threadsafe(give, line)
        except RuntimeError:  # the loop has ended
            return

    threading.Thread(target=_read, args=(descriptor, hand_over), daemon=True, name="stdin").start()


def _read(descriptor: int, hand_over: Callable[[bytes | None], None]) -> None:
    rest = bytearray()
    while True:
        try:
            block = os.read(descriptor, BLOCK_BYTES)
        except OSError:
            block = b""
        start = len(rest)
        rest += block
        cut = rest.rfind(b"\n", start) + 1
        for line in bytes(rest[:cut]).split(b"\n")[:-1]:
            if line.strip():
                hand_over(line)
        del rest[:cut]
        if not block:
            if rest.strip():
                hand_over(bytes(rest))
            hand_over(None)
            return


class Writer:
    """Writes whole lines, one after the other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = asyncio.Lock()

    async def write(self, message: bytes) -> None:
        """Write one message and its line end. Raises OSError when nobody reads any more."""
        line = (message.replace(b"\n", b" ") if b"\n" in message else message) + b"\n"
        async with self._lock:
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, line))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait({writing})  # half a line would spoil the next one
                raise

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]
