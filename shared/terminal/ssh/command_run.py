"""One command on an SSH channel: its output, the state of its shell and its end, as the channel tells of them."""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Sequence

import asyncssh

from shared.terminal.capture import Capture
from shared.terminal.channel import Command
from shared.terminal.ssh import remote_shell
from shared.terminal.ssh.remote_shell import RemoteState

CLOSE_TIMEOUT = 1.0
MAX_LINGERING = 4
MOST_BEFORE = 16 * 1024
"""Bytes that are kept of what comes before the greeting."""
QUIET = 2.0
"""Seconds without output after which a command whose marks do not come, though it has ended, is over."""


class CommandRun(asyncssh.SSHClientSession[bytes]):
    """A command that runs. `over` is set when it has ended and its output is in; `lost` says that some never came.

    `group` is its process group on the host, once it has greeted; 0 where that is not known. `login_directory` is where a
    login begins there.
    """

    def __init__(self, command: Command, nonce: str) -> None:
        self.over = asyncio.Event()
        self.greeted = asyncio.Event()
        self.closed = False
        self.lost = False
        self.began = time.monotonic()
        self.stdout = Capture(command.max_output_bytes, command.listener("stdout"), command.kept("stdout"))
        self.stderr = Capture(command.max_output_bytes, command.listener("stderr"), command.kept("stderr"))
        self.exit_code: int | None = None
        self.group = 0
        self.login_directory = b""
        self._nonce = nonce
        self._out = remote_shell.Separator(nonce, self.stdout.feed)
        self._err = remote_shell.Separator(nonce, self.stderr.feed)
        self._greeting = remote_shell.greeting(nonce).encode()
        self._before = b""
        self._signal: str | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._taking = True

    def state(self, before: RemoteState) -> RemoteState | None:
        """The state that the shell left, of a session that had the one of `before`."""
        return remote_shell.parse(bytes(self._err.report), self._nonce, before) if self._err.whole else None

    @property
    def gone(self) -> bool:
        """Whether the directory that it was to run in does not exist."""
        return self._err.whole and remote_shell.is_gone(bytes(self._err.report))

    @property
    def signal(self) -> str | None:
        """The signal that ended the shell: as reported, or the n of a 128 + n from a shell that left no state."""
        code = self.exit_code
        if self._signal is None and code and code > 128 and remote_shell.content(bytes(self._err.report)) == b"":
            return _name(code - 128)
        return self._signal

    async def ended(self, stop: asyncio.Event, timeout: float) -> bool:
        """Wait for its end; false when its time is up or it is told to stop."""
        waits = [asyncio.ensure_future(self.over.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.over.is_set()

    async def greets(self, stop: asyncio.Event, timeout: float) -> bool:
        """Wait for a sign that a shell runs it; false when there is none, though it has ended or its time is up."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.greeted, self.over, stop)]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.greeted.is_set() or stop.is_set() or self.lost

    @property
    def said(self) -> str:
        """The end of what came, where no shell has greeted."""
        text = self.stdout.text() + self._before.decode(errors="replace")
        return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[-200:]

    def ignore(self) -> None:
        """Take no more output; for what a background process still writes."""
        self._taking = False

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if not self._taking:
            return
        if datatype != asyncssh.EXTENDED_DATA_STDERR:
            self._out.feed(data)
        else:
            self._err.feed(data if self.greeted.is_set() else self._without_greeting(data))
        if self.exit_code is not None:
            self._end_when_whole()

    def _without_greeting(self, data: bytes) -> bytes:
        """What there is besides the greeting, once that has come; what is before it a login said."""
        before, found, after = (self._before + data).partition(self._greeting)
        group, ended, after = after.partition(b"\n")
        if not ended:
            self._before = (before + found + group)[-MOST_BEFORE:]
            return b""
        group, _, self.login_directory = group.partition(b" ")
        self.group = int(group) if group.isdigit() else 0
        self.greeted.set()
        return before + after

    def exit_status_received(self, status: int) -> None:
        self.exit_code = status
        self._end_when_whole()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._signal = f"SIG{signal}"
        self.exit_code = 128 + number_of(self._signal)
        self._end_when_whole()

    def connection_lost(self, exc: Exception | None) -> None:
        self._out.finish()
        self._err.finish()
        self.closed = True
        self.lost = exc is not None and not (self._out.whole and self._err.whole)
        self._end()

    def _end_when_whole(self) -> None:
        """It has ended; its output may still be on the way. The channel itself stays open while a background process
        holds it, so that its end says nothing."""
        if self._quiet is not None:
            self._quiet.cancel()
        if self._out.whole and self._err.whole:
            self._end()
        else:
            self._quiet = asyncio.get_running_loop().call_later(QUIET, self._end)

    def _end(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self.over.set()


class Lingering:
    """The channels of background processes, which their end would break off: kept open, but not many."""

    def __init__(self) -> None:
        self._kept: deque[tuple[asyncssh.SSHClientChannel[bytes], CommandRun]] = deque()

    def keep(self, channel: asyncssh.SSHClientChannel[bytes], run: CommandRun) -> None:
        """Keep it, and take no more output of it."""
        self._forget_closed()
        if run.closed:
            return
        run.ignore()
        self._kept.append((channel, run))
        if len(self._kept) > MAX_LINGERING:
            self._kept.popleft()[0].close()

    def forget(self) -> None:
        """They have gone with their connection."""
        self._kept.clear()

    async def close_oldest(self) -> bool:
        """Close the one that has been kept longest; false where there is none."""
        self._forget_closed()
        if not self._kept:
            return False
        await _closed([self._kept.popleft()[0]])
        return True

    async def close(self) -> None:
        """Close all of them."""
        channels = [channel for channel, _ in self._kept]
        self._kept.clear()
        await _closed(channels)

    def _forget_closed(self) -> None:
        self._kept = deque(kept for kept in self._kept if not kept[1].closed)


async def _closed(channels: Sequence[asyncssh.SSHClientChannel[bytes]]) -> None:
    """Close them, and wait until the host has done so too, but not for ever."""
    for channel in channels:
        channel.abort()
    if channels:
        waits = [asyncio.ensure_future(channel.wait_closed()) for channel in channels]
        _, late = await asyncio.wait(waits, timeout=CLOSE_TIMEOUT)
        for wait in late:
            wait.cancel()


class QuietRun(asyncssh.SSHClientSession[bytes]):
    """A command whose output is of no interest."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def exit_status_received(self, status: int) -> None:
        self.over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


def number_of(name: str) -> int:
    """The number of a signal here; 0 where there is none of that name."""
    try:
        return signal.Signals[name].value
    except KeyError:
        return 0


def _name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
