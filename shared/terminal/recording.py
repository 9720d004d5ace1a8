"""The recording of one session: events taken down on the event loop, written by a thread as asciicast v2.

The format: https://docs.asciinema.org/manual/asciicast/v2/
"""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from shared.structured import get_logger
from shared.terminal.recording_typed import TypedLines
from shared.terminal.recording_veil import Event, EventKind, Redact, Veil

BATCH_SECONDS = 0.25
SLICE = 16 * 1024
"""Characters that are redacted at once: a regular expression holds the interpreter's lock until it has its answer."""
MOST_WAITING = 2 * 1024 * 1024
"""Characters that may wait to be written; more are left out, and the recording says so."""
MOST_EVENTS = 100_000
ROOM_FOR_LAST = 256
"""Bytes kept free for the event that says why a recording stops."""

log = get_logger(__name__)


class CastFile:
    """The file, as the writing thread sees it. Every write adds whole lines. It is locked while its session goes on."""

    def __init__(self, path: Path, header: Mapping[str, Any], *, max_bytes: int, redact: Redact) -> None:
        """Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        self._left = max_bytes
        self._veil = Veil(redact)
        self.full = False
        self._append(_line({"version": 2, **header}))

    def write(self, events: list[Event]) -> None:
        """Write what can be written by now, at most half of the time, since the event loop wants the other. Raises OSError."""
        for part in _slices(events):
            began = time.perf_counter()
            self._write(self._veil.through(part))
            time.sleep(time.perf_counter() - began)

    def close(self) -> None:
        """Write what was held back, and close. Raises OSError."""
        try:
            self._write(self._veil.rest())
        finally:
            os.close(self._descriptor)

    def _write(self, events: list[Event]) -> None:
        lines = bytearray()
        for event in events:
            line = _line([round(event.time, 6), event.kind, event.data])
            if self.full:
                break
            if len(lines) + len(line) > self._left - ROOM_FOR_LAST:
                line = _line([round(event.time, 6), "m", "recording stopped: size limit"])
                self.full = True
            lines += line
        self._append(bytes(lines))

    def _append(self, data: bytes) -> None:
        self._left -= len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]


class Recorder:
    """Takes down what happens in one session. None of its methods waits for the disk but `flush` and `aclose`."""

    def __init__(self, cast: CastFile, clock: Callable[[], float] = time.monotonic) -> None:
        self.active = True
        self._closed = False
        self._cast = cast
        self._clock = clock
        self._began = clock()
        self._typed = TypedLines()
        self._events: list[Event] = []
        self._waiting = 0
        self._lost = 0
        self._hurry = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def output(self, text: str) -> None:
        """The terminal shows something."""
        self._put("o", text)
        for line in self._typed.shown(text, now=self._clock()):
            self._put("i", line)

    def typed(self, data: str, *, hidden: bool) -> None:
        """Somebody types; `hidden` when the terminal is known not to show it."""
        self._put("i", self._typed.typed(data, hidden=hidden, now=self._clock()))

    def resized(self, cols: int, rows: int) -> None:
        """The terminal has another size."""
        self._put("r", f"{cols}x{rows}")

    def marked(self, label: str) -> None:
        """Something to find in the recording."""
        self._put("m", label)

    async def flush(self) -> None:
        """Until everything so far that may be written is written."""
        for _ in range(2):  # what is being written, and what has come since
            if self._writer is not None:
                self._hurry.set()
                await asyncio.wait({self._writer})

    async def aclose(self) -> None:
        """Write the rest. Nothing more is taken down."""
        self.active = False
        if not self._closed:
            self._closed = True
            await self.flush()
            await self._in_thread(self._cast.close)

    def _put(self, kind: EventKind, data: str) -> None:
        if not data or not self.active:
            return
        if self._waiting + len(data) > MOST_WAITING or len(self._events) >= MOST_EVENTS:
            self._lost += len(data)
            return
        at = self._clock() - self._began
        if self._lost:
            self._events.append(Event(at, "m", f"{self._lost} characters were not recorded: they came too fast"))
            self._lost = 0
        self._waiting += len(data)
        self._events.append(Event(at, kind, data))
        if self._writer is None:
            self._begin_batch()

    def _begin_batch(self) -> None:
        self._hurry.clear()
        self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), BATCH_SECONDS)
        events, self._events, self._waiting = self._events, [], 0
        await self._in_thread(partial(self._cast.write, events))
        self._writer = None
        if self._events:
            self._begin_batch()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(work)
        except OSError as error:
            self.active = False
            log.warning("a recording has stopped", reason=error.strerror)
        self.active = self.active and not self._cast.full


def _slices(events: list[Event]) -> Iterator[list[Event]]:
    """The events in runs of so many characters, longer ones cut."""
    run, size = list[Event](), 0
    for event in events:
        for at in range(0, len(event.data), SLICE):
            run.append(replace(event, data=event.data[at : at + SLICE]))
            size += len(run[-1].data)
            if size >= SLICE:
                yield run
                run, size = [], 0
    yield run


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
