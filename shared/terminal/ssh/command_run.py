"""One command on an SSH channel: its output, the state of its shell and its end, as the channel tells of them."""

import asyncio
import signal
import time

import asyncssh

from shared.terminal.capture import Capture
from shared.terminal.channel import Command
from shared.terminal.ssh import remote_shell
from shared.terminal.ssh.remote_shell import RemoteState

DRAIN = 0.2


class CommandRun(asyncssh.SSHClientSession[bytes]):
    """A command that runs. `over` is set when it has ended and its output is in."""

    def __init__(self, command: Command, nonce: str) -> None:
        self.over = asyncio.Event()
        self.closed = False
        self.began = time.monotonic()
        self.stdout = Capture(command.max_output_bytes, command.listener("stdout"))
        self.stderr = Capture(command.max_output_bytes, command.listener("stderr"))
        self.exit_code: int | None = None
        self._nonce = nonce
        self._separator = remote_shell.Separator(nonce, self.stderr.feed)
        self._signal: str | None = None
        self._drain: asyncio.TimerHandle | None = None
        self._taking = True

    @property
    def state(self) -> RemoteState | None:
        """The state that the shell left."""
        return remote_shell.parse(bytes(self._separator.report), self._nonce) if self._separator.whole else None

    @property
    def gone(self) -> bool:
        """Whether the directory that it was to run in does not exist."""
        return remote_shell.is_gone(bytes(self._separator.report))

    @property
    def signal(self) -> str | None:
        """The signal that ended the shell: as reported, or the n of a 128 + n from a shell that left no state."""
        code = self.exit_code
        if self._signal is None and code and code > 128 and self._separator.whole and not self._separator.report:
            return _name(code - 128)
        return self._signal

    async def ended(self, stop: asyncio.Event, timeout: float) -> bool:
        """Wait for its end; false when its time is up or it is told to stop."""
        waits = [asyncio.ensure_future(self.over.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self.over.is_set()

    def ignore(self) -> None:
        """Take no more output; for what a background process still writes."""
        self._taking = False

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if not self._taking:
            return
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._separator.feed(data)
        else:
            self.stdout.feed(data)

    def exit_status_received(self, status: int) -> None:
        self.exit_code = status
        self._end_soon()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._signal = f"SIG{signal}"
        self.exit_code = 128 + _number(self._signal)
        self._end_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._drain is not None:
            self._drain.cancel()
        self._separator.finish()
        self.closed = True
        self.over.set()

    def _end_soon(self) -> None:
        """A channel stays open while a background process holds it; the command itself has ended."""
        self._drain = asyncio.get_running_loop().call_later(DRAIN, self.over.set)


class QuietRun(asyncssh.SSHClientSession[bytes]):
    """A command whose output is of no interest."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def exit_status_received(self, status: int) -> None:
        self.over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


def _number(name: str) -> int:
    try:
        return signal.Signals[name].value
    except KeyError:
        return 0


def _name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
