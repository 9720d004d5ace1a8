"""A child process as the event loop sees it: started in a thread, its exit and its pipes as events.

Not asyncio's subprocess: uvloop's does not close inherited descriptors, and makes stdin a socket, for which bash takes
itself to be run by a remote shell daemon.
"""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from shared.terminal.process_tree import Root

READ_SIZE = 64 * 1024
MAX_DRAIN = 2 * 1024 * 1024
MAX_PENDING_INPUT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start: always in a session and process group of its own, with no descriptor but the three."""

    arguments: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    umask: int = -1
    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.DEVNULL
    stderr: int = subprocess.DEVNULL


class Child:
    """A started process. `exited` is set once it has ended and is reaped."""

    def __init__(self, process: "subprocess.Popen[bytes]", root: Root) -> None:
        self.root = root
        self.exited = asyncio.Event()
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._watch()

    @classmethod
    async def start(cls, launch: Launch) -> "Child":
        """Start it without holding up the loop. Raises OSError. Nothing runs when the wait for it is cancelled."""
        spawning = asyncio.ensure_future(asyncio.to_thread(_spawn, launch))
        try:
            process, root = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            undoing = asyncio.ensure_future(_undo(spawning))
            with anyio.CancelScope(shield=True):
                await asyncio.wait({undoing})
            raise
        return cls(process, root)

    @property
    def exit_code(self) -> int | None:
        """As a shell says it: 128 + n when signal n ended it."""
        code = self._process.returncode
        return 128 - code if code is not None and code < 0 else code

    @property
    def signal(self) -> str | None:
        """The name of the signal that ended it."""
        code = self._process.returncode
        if code is None or code >= 0:
            return None
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"SIG{-code}"

    async def reaped(self, timeout: float = 2) -> None:
        """Wait for its end, once it was killed; not for ever, since one in an uninterruptible wait may not end."""
        try:
            await asyncio.wait_for(self.exited.wait(), timeout)
        except TimeoutError:
            return

    def _watch(self) -> None:
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # not Linux, or a kernel or sandbox without it
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
        else:
            self._loop.add_reader(descriptor, self._on_exit, descriptor)

    def _on_exit(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        self._process.wait()
        self.exited.set()

    def _wait_in_thread(self) -> None:
        self._process.wait()
        try:
            self._loop.call_soon_threadsafe(self.exited.set)
        except RuntimeError:  # the loop has closed
            return


def _spawn(launch: Launch) -> "tuple[subprocess.Popen[bytes], Root]":
    process = subprocess.Popen(
        launch.arguments,
        env=launch.env,
        cwd=launch.cwd,
        umask=launch.umask,
        stdin=launch.stdin,
        stdout=launch.stdout,
        stderr=launch.stderr,
        start_new_session=True,
        close_fds=True,
    )
    try:
        return process, Root.of(process.pid)  # not reaped yet, so that the number is still its own
    except BaseException:
        _discard(process)
        raise


async def _undo(spawning: "asyncio.Future[tuple[subprocess.Popen[bytes], Root]]") -> None:
    await asyncio.wait({spawning})
    if not spawning.cancelled() and spawning.exception() is None:
        await asyncio.to_thread(_discard, spawning.result()[0])


def _discard(process: "subprocess.Popen[bytes]") -> None:
    """Kill it with its process group, and reap it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it has ended already, says macOS
        pass
    process.wait()


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
