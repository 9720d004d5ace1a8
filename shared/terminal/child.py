"""A command's process as the event loop sees it: started by a keeper, its exit and its pipes as events.

Not asyncio's subprocess: uvloop's does not close inherited descriptors, and makes stdin a socket, for which bash takes
itself to be run by a remote shell daemon; and neither sees what a command leaves behind.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM, Signals
from typing import Protocol

import anyio

from shared.terminal.keeper.warden import CROWDED, ENDED, FAILED, HEAVY, LENGTH, RECORD, STARTED

READ_SIZE = 64 * 1024
MAX_DRAIN = 2 * 1024 * 1024
MAX_PENDING_INPUT = 1024 * 1024
NOTICES = {
    CROWDED: "It was ended, with all that it started, for having more processes than TERMINAL_MAX_PROCESSES allows.",
    HEAVY: "It was ended, with all that it started, for using more memory than TERMINAL_MAX_MEMORY allows.",
}
START_LIMIT = 10.0
END_LIMIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start: always in a session and process group of its own, with no descriptor but the three.

    `descriptors` are stdin, stdout, stderr and, if wanted, the pipe that the shell's state goes to. Without them it gets
    a terminal of its own, of so many `terminal` rows and columns.
    """

    arguments: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    umask: int = -1
    descriptors: Sequence[int] = ()
    terminal: tuple[int, int] | None = None


class Starter(Protocol):
    """What starts processes and keeps them."""

    def hand_over(self, control: socket.socket, descriptors: Sequence[int]) -> None:
        """Give this end of a control connection, and what the process gets, to one who will start it. Raises OSError."""


class Child:
    """A started process with all that it starts. `exited` is set once it has ended, `gone` once nothing of it is left.

    `terminal` is our side of its terminal, where it has one. `notice` says which limit it was ended for.
    """

    def __init__(self, control: socket.socket) -> None:
        self.exited = asyncio.Event()
        self.gone = asyncio.Event()
        self.terminal: int | None = None
        self.notice: str | None = None
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._told = b""
        self._status: int | None = None
        control.setblocking(False)
        self._loop.add_reader(control, self._on_told)

    @classmethod
    async def start(cls, starter: Starter, launch: Launch) -> "Child":
        """Start it without holding up the loop. Raises OSError. Nothing runs when the wait for it is cancelled."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                starter.hand_over(theirs, launch.descriptors)
            except BaseException:
                ours.close()
                raise
        child = cls(ours)
        try:
            async with asyncio.timeout(START_LIMIT):
                await child._order(launch)
        except BaseException as error:
            child._started.cancel()
            with contextlib.suppress(OSError):
                child._control.shutdown(socket.SHUT_WR)  # which says so even in the middle of the order
            with anyio.CancelScope(shield=True):
                await child._until_gone()
            child._close_terminal()
            if isinstance(error, TimeoutError):
                raise OSError(0, "it did not start in time") from None
            raise
        return child

    @property
    def exit_code(self) -> int | None:
        """As a shell says it: 128 + n when signal n ended it."""
        if self._status is None:
            return None
        code = os.waitstatus_to_exitcode(self._status)
        return 128 - code if code < 0 else code

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it."""
        if self._status is None or not os.WIFSIGNALED(self._status):
            return None
        number = os.WTERMSIG(self._status)
        try:
            return Signals(number).name
        except ValueError:
            return f"SIG{number}"

    async def end(self, first: Signals = SIGTERM) -> bool:
        """End it with everything that it started: this signal, a moment to obey it, then SIGKILL. Whether all is gone.

        Not for ever, since what is in an uninterruptible wait may not end, and not while another user's runs.
        """
        if not self.gone.is_set():
            with contextlib.suppress(OSError):
                self._control.send(bytes([first]))
        return await self._until_gone()

    async def _until_gone(self) -> bool:
        try:
            await asyncio.wait_for(self.gone.wait(), END_LIMIT)
        except TimeoutError:
            self._finish()  # the other side goes on trying
            return False
        return True

    async def _order(self, launch: Launch) -> None:
        order = json.dumps(
            {
                "arguments": list(launch.arguments),
                "env": dict(launch.env),
                "cwd": launch.cwd,
                "umask": launch.umask,
                "terminal": launch.terminal,
            }
        ).encode()
        with contextlib.suppress(ConnectionError):  # it says why, or is gone
            await self._loop.sock_sendall(self._control, LENGTH.pack(len(order)) + order)
        await self._started

    def _on_told(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
            self.terminal = descriptor
        self._told += data
        while len(self._told) >= RECORD.size:
            record, self._told = self._told[: RECORD.size], self._told[RECORD.size :]
            self._take(*RECORD.unpack(record))
        if not data:
            self._finish()

    def _take(self, kind: bytes, number: int) -> None:
        if kind == STARTED and not self._started.done():
            self._started.set_result(None)
        elif kind == FAILED and not self._started.done():
            self._started.set_exception(OSError(number, os.strerror(number) if number else "its keeper refused"))
        elif kind in NOTICES:
            self.notice = NOTICES[kind]
        elif kind == ENDED:
            self._status = number
            self.exited.set()

    def _finish(self) -> None:
        """Nothing is left of it. If it did not tell how it ended, it was killed with the one that watched it."""
        if self.gone.is_set():
            return
        self._loop.remove_reader(self._control)
        self._control.close()
        if not self._started.done():
            self._started.set_exception(OSError(0, "its keeper ended"))
        if self._status is None:
            self._status = SIGKILL
        self.exited.set()
        self.gone.set()

    def _close_terminal(self) -> None:
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None


class Reader:
    """Reads a pipe or terminal as the loop finds it ready, and hands on what came. Owns the descriptor."""

    def __init__(self, descriptor: int, sink: Callable[[bytes], None]) -> None:
        self.ended = asyncio.Event()
        self.sink = sink
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def drain(self) -> None:
        """Take in what is there now, but not what a writer keeps adding for ever."""
        taken = 0
        while not self.ended.is_set() and taken < MAX_DRAIN and (size := self._read()):
            taken += size

    def hold(self, held: bool) -> None:
        """Leave what comes where it is for now, or go on reading."""
        if self.ended.is_set():
            return
        if held:
            self._loop.remove_reader(self._descriptor)
        else:
            self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Stop reading."""
        if not self.ended.is_set():
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.ended.set()

    def _read(self) -> int:
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return 0
        except OSError:  # a terminal whose other side has gone
            data = b""
        if data:
            self.sink(data)
        else:
            self.close()
        return len(data)


class Writer:
    """Writes to a pipe or terminal as it takes it. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.closed = False
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._pending = bytearray()
        self._closing = False
        self._waiting = False
        os.set_blocking(descriptor, False)

    @property
    def room(self) -> int:
        """Bytes that may still be queued."""
        return MAX_PENDING_INPUT - len(self._pending)

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Queue some input; `last` closes the descriptor after it."""
        if self.closed:
            return
        self._pending += data
        self._closing = self._closing or last
        self._flush()

    def close(self) -> None:
        """Close at once, dropping what is queued."""
        if not self.closed:
            self.closed = True
            self._wait(False)
            self._pending.clear()
            os.close(self._descriptor)

    def _flush(self) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._descriptor, self._pending[:READ_SIZE])]
        except BlockingIOError:
            self._wait(True)
            return
        except OSError:  # nobody reads it any more
            self.close()
            return
        self._wait(False)
        if self._closing:
            self.close()

    def _wait(self, wanted: bool) -> None:
        if wanted and not self._waiting:
            self._loop.add_writer(self._descriptor, self._flush)
        elif self._waiting and not wanted:
            self._loop.remove_writer(self._descriptor)
        self._waiting = wanted
