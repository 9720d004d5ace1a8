"""What a shell has shown: the last of it, bounded in bytes, under a cursor that only grows."""

import asyncio
import codecs
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from shared.terminal.flow import Flow
from shared.terminal.sequences import plain, split_unfinished

CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Slice:
    """Text in order. `cursor` is the place after it, `dropped` the characters lost before it."""

    text: str
    cursor: int
    dropped: int

    def stripped(self, *, last: bool) -> "Slice":
        """Without control sequences; one that is not whole yet is not read, unless nothing will follow it."""
        text, unfinished = (self.text, "") if last else split_unfinished(self.text)
        return Slice(plain(text), self.cursor - len(unfinished), self.dropped)


class Scrollback:
    """A bounded store of text with any number of readers. They hold up the writer through `flow`, and not for long.

    A cursor counts characters since the beginning. Text is decoded as it comes, so that a character whose bytes
    arrive apart is whole, and bytes that are none in the encoding become U+FFFD. `limit` counts bytes of UTF-8.
    """

    def __init__(self, limit: int, encoding: str = "utf-8") -> None:
        self.limit = limit
        self.encoding = encoding
        self.ended = False
        self.fed_at = time.monotonic()
        self.start = 0
        self.end = 0
        self.lines_gone = 0
        self.flow = Flow()
        self._chunks: deque[str] = deque()
        self._bytes = 0
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._waiters: set[asyncio.Future[None]] = set()
        self.listener: Callable[[str], None] | None = None

    def feed(self, data: bytes) -> None:
        """Take in what the shell wrote."""
        self.fed_at = time.monotonic()
        self._append(self._decoder.decode(data))

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._bytes

    def finish(self) -> None:
        """Nothing more will come for now: readers that wait are told so."""
        self._append(self._decoder.decode(b"", final=True))
        self.ended = True
        self._wake()

    def reopen(self) -> None:
        """More will come after all, from a new shell."""
        self.ended = False

    def read(self, after: int, limit: int | None = None) -> Slice:
        """What came after that cursor, at most `limit` characters of it."""
        begin = min(max(after, self.start), self.end)
        text = self._from(begin)
        if limit is not None:
            text = text[:limit]
        return Slice(text, begin + len(text), max(0, begin - after))

    async def wait(self, after: int) -> None:
        """Until there is something after that cursor, or nothing more will come."""
        after = min(after, self.end)
        while self.end <= after and not self.ended:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    async def follow(self, after: int, limit: int = 64 * 1024) -> AsyncIterator[Slice]:
        """Everything after that cursor, as it comes, until the end; a slow reader is told what it missed."""
        while True:
            await self.wait(after)
            part = self.read(after, limit)
            if not part.text and self.ended:
                return
            after = part.cursor
            yield part

    def _append(self, text: str) -> None:
        if not text:
            return
        if self.listener is not None:
            self.listener(text)
        for at in range(0, len(text), CHUNK):
            self._store(text[at : at + CHUNK])
        while self._bytes > self.limit and len(self._chunks) > 1:
            gone = self._chunks.popleft()
            self._bytes -= len(gone.encode())
            self.start += len(gone)
            self.lines_gone += gone.count("\n")
        reserve = self.limit // 4
        self.flow.near(self.start, self.start + reserve if self._bytes > self.limit - reserve else 0)
        self._wake()

    def _store(self, piece: str) -> None:
        self.end += len(piece)
        self._bytes += len(piece.encode())
        if self._chunks and len(self._chunks[-1]) + len(piece) <= CHUNK:
            self._chunks[-1] += piece
        else:
            self._chunks.append(piece)

    def _from(self, begin: int) -> str:
        parts: list[str] = []
        position = self.end
        for chunk in reversed(self._chunks):
            if position <= begin:
                break
            position -= len(chunk)
            parts.append(chunk if position >= begin else chunk[begin - position :])
        return "".join(reversed(parts))

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
