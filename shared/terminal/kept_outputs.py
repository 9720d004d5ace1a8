"""Output of commands that was cut in their results, kept for a while: whole, bounded, and only for its caller.

It is in unnamed temporary files of the data directory (mode 0600, in memory while small), so that the kernel takes
them away with this process, however it ends.
"""

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from shared.domain.kept import KeptPart, ReadKept
from shared.domain.terminal import CommandResult, OutputStream
from shared.errors import NotFound
from shared.terminal import searching
from shared.terminal.capture import whole_end
from shared.terminal.channel import Command
from shared.terminal.patterns import Pattern

STREAMS: tuple[OutputStream, ...] = ("stdout", "stderr")
IN_MEMORY = 64 * 1024
"""Bytes of a stream that need no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLimits:
    """Bytes and counts. One output holds a long build log; all together need at most a quarter of the 1,024 descriptors
    that a process usually may have (two for each output), and half a gibibyte of disk.
    """

    seconds: float = 3600
    bytes_per_stream: int = 32 * 1024 * 1024
    bytes_per_caller: int = 128 * 1024 * 1024
    bytes_in_all: int = 512 * 1024 * 1024
    outputs_per_caller: int = 32
    outputs_in_all: int = 128


class KeptOutputs:
    """Keeps output by id. The oldest make room for new ones: a caller's own first, then those of all."""

    def __init__(
        self, folder: Path, clock: Callable[[], datetime], new_id: Callable[[], str], limits: KeptLimits
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._kept: dict[str, KeptOutput] = {}
        self._running: set[KeptOutput] = set()

    async def keeping(
        self,
        owner: str,
        command: Command,
        execute: Callable[[Command, asyncio.Event], Awaitable[CommandResult]],
        stop: asyncio.Event,
    ) -> CommandResult:
        """Run a command; where its output is cut, the result names what is kept of it."""
        output = KeptOutput(self, owner)
        self._running.add(output)
        try:
            result = await execute(replace(command, sink=output.begin), stop)
            cut = result.truncated or max(result.stdout_bytes, result.stderr_bytes) >= (command.keep_from or 2**63)
            if not cut or not output.size or not self._room_for_one(owner):
                return result
            output_id = self._new_id()
            output.written = {"stdout": result.stdout_bytes, "stderr": result.stderr_bytes}
            output.expires_at = self._clock() + timedelta(seconds=self._limits.seconds)
            output.expiry = asyncio.get_running_loop().call_later(self._limits.seconds, self._drop, output_id)
            self._kept[output_id] = output
            return result.model_copy(update={"output_id": output_id})
        finally:
            self._running.discard(output)
            if output not in self._kept.values():
                output.close()

    async def read(self, owner: str, request: ReadKept) -> KeptPart:
        """A page, or the lines that match. Raises NotFound, also for those of others, and InvalidInput."""
        output = self._kept.get(request.id)
        if output is None or output.owner != owner:
            raise _unknown()
        pattern = None if request.search is None else Pattern(request.search, field="search")
        return await asyncio.to_thread(output.part, request, pattern)

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """Drop the output of callers who are gone."""
        for output_id in [found for found, output in self._kept.items() if gone(output.owner)]:
            self._drop(output_id)

    def close(self) -> None:
        """Drop everything."""
        for output_id in list(self._kept):
            self._drop(output_id)

    def room(self, output: "KeptOutput", size: int) -> bool:
        """Whether so many bytes more may be kept; older outputs make room for them."""
        limits, owner = self._limits, output.owner
        while self._bytes(owner) + size > limits.bytes_per_caller:
            if not self._drop_oldest(owner):
                return False
        while self._bytes(None) + size > limits.bytes_in_all:
            if not self._drop_oldest(None):
                return False
        return True

    def file(self) -> "tempfile.SpooledTemporaryFile[bytes]":
        """A file without a name. The folder is made with the first that needs it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(self._folder))

    @property
    def most(self) -> int:
        """Bytes that are kept of one stream."""
        return self._limits.bytes_per_stream

    def _room_for_one(self, owner: str) -> bool:
        own = [output for output in self._kept.values() if output.owner == owner]
        if len(own) >= self._limits.outputs_per_caller:
            return self._drop_oldest(owner)
        return len(self._kept) < self._limits.outputs_in_all or self._drop_oldest(None)

    def _bytes(self, owner: str | None) -> int:
        together = [*self._kept.values(), *self._running]
        return sum(output.size for output in together if owner is None or output.owner == owner)

    def _drop_oldest(self, owner: str | None) -> bool:
        oldest = next((key for key, output in self._kept.items() if owner is None or output.owner == owner), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def _drop(self, output_id: str) -> None:
        output = self._kept.pop(output_id, None)
        if output is not None:
            output.close()


class KeptOutput:
    """The two streams of one command, written while it runs and only read afterwards."""

    def __init__(self, store: KeptOutputs, owner: str) -> None:
        self.owner = owner
        self.expires_at = datetime.max
        self.expiry: asyncio.TimerHandle | None = None
        self.written: dict[OutputStream, int] = dict.fromkeys(STREAMS, 0)
        self._store = store
        self._lock = threading.Lock()
        self._files: dict[OutputStream, tempfile.SpooledTemporaryFile[bytes]] = {}
        self._sizes: dict[OutputStream, int] = dict.fromkeys(STREAMS, 0)
        self._full: set[OutputStream] = set()

    @property
    def size(self) -> int:
        """Bytes of both streams."""
        return sum(self._sizes.values())

    def begin(self, stream: OutputStream) -> Callable[[bytes], None]:
        """Take in a stream from its beginning, also when its command is begun anew."""
        if stream in self._files:
            self._files.pop(stream).close()
        self._sizes[stream] = 0
        self._full.discard(stream)
        return lambda data: self._write(stream, data)

    def part(self, request: ReadKept, pattern: Pattern | None) -> KeptPart:
        """A page, or the lines that match. Raises NotFound when it is dropped meanwhile."""
        size = self._sizes[request.stream]

        def read(position: int, count: int) -> bytes:
            return self._read(request.stream, position, count)

        start = min(request.cursor, size)
        if request.tail is not None:
            start = searching.tail_start(read, size, request.tail)
        output, matches, end = None, None, None
        if pattern is None:
            page = _page(read(start, request.max_bytes), last=start + request.max_bytes >= size)
            output, end = page.decode(errors="replace"), start + len(page)
            end = None if end >= size else end
        else:
            found = searching.search(
                read, size, pattern, start=start, context=request.context, most=request.max_matches
            )
            matches, end = found.matches, found.next_cursor
        return KeptPart(
            output=output,
            matches=matches,
            line=searching.line_at(read, start),
            next_cursor=end,
            bytes=size,
            total_bytes=self.written[request.stream],
            expires_at=self.expires_at,
        )

    def close(self) -> None:
        """Give back what it holds."""
        if self.expiry is not None:
            self.expiry.cancel()
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()
        self._full.update(STREAMS)
        self._sizes = dict.fromkeys(STREAMS, 0)

    def _write(self, stream: OutputStream, data: bytes) -> None:
        """Keep the beginning of the stream, as far as there is room."""
        if stream in self._full:
            return
        room = self._store.most - self._sizes[stream]
        if len(data) > room or not self._store.room(self, len(data)):
            self._full.add(stream)
            data = data[:room] if self._store.room(self, min(room, len(data))) else b""
        try:
            if stream not in self._files:
                self._files[stream] = self._store.file()
            self._files[stream].write(data)
        except OSError:  # the disk is full; what is there can be read
            self._full.add(stream)
            return
        self._sizes[stream] += len(data)

    def _read(self, stream: OutputStream, position: int, count: int) -> bytes:
        with self._lock:
            file = self._files.get(stream)
            if file is None:
                if self._sizes[stream]:
                    raise _unknown()
                return b""
            file.seek(position)
            return file.read(min(count, max(0, self._sizes[stream] - position)))


def _page(data: bytes, *, last: bool) -> bytes:
    """Whole lines where lines are short, and whole characters in any case."""
    if last:
        return data
    end = data.rfind(b"\n") + 1
    return data[:end] if end > len(data) // 2 else bytes(whole_end(bytearray(data)))


def _unknown() -> NotFound:
    return NotFound(
        "There is no such kept output. Output is kept for an hour, and less where newer output needs the room. "
        "Run the command again.",
        code="output_not_found",
    )
