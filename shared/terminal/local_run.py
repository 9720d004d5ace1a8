"""One command in a fresh shell on this machine: the shell, its pipes, and the report of its state."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from secrets import token_hex

from shared.domain.terminal import CommandResult
from shared.errors import TerminalError
from shared.terminal import shell_state
from shared.terminal.capture import Capture
from shared.terminal.channel import Command
from shared.terminal.child import Child, Launch, Reader, Writer
from shared.terminal.notices import NO_STATE
from shared.terminal.sandbox import Sandbox
from shared.terminal.shell_state import ShellState

DRAIN = 0.05
NOTHING = -1
"""In place of a descriptor: /dev/null."""

Start = Callable[[Launch], Awaitable[Child]]


class LocalRun:
    """One command: its shell, its pipes, and the report of its state."""

    def __init__(self, shell: str, command: Command, state: ShellState) -> None:
        self.state_after: ShellState | None = None
        self.child: Child | None = None
        self._shell = shell
        self._command = command
        self._state = state
        self._nonce = token_hex(16)
        self._report = bytearray()
        self._stdout = Capture(command.max_output_bytes, command.listener("stdout"), command.kept("stdout"))
        self._stderr = Capture(command.max_output_bytes, command.listener("stderr"), command.kept("stderr"))
        self._readers: list[Reader] = []
        self._report_reader: Reader | None = None
        self._input: Writer | None = None
        self._began = time.monotonic()

    async def start(self, start: Start) -> None:
        """Start the shell. Raises TerminalError."""
        pipes: list[int] = []
        try:
            stdin, stdout = self._stdin(pipes), self._output(pipes, self._stdout)
            stderr, report = self._output(pipes, self._stderr), self._open_report(pipes)
            launch = Launch(
                arguments=shell_state.arguments(self._shell, self._command.text, nonce=self._nonce),
                env=self._state.env,
                cwd=self._state.cwd,
                umask=self._state.umask,
                descriptors=(stdin, stdout, stderr, report),
            )
            self._began = time.monotonic()
            self.child = await start(launch)
        except OSError as error:
            raise not_started(error) from error
        finally:
            for descriptor in pipes:
                os.close(descriptor)
        if self._input is not None:
            self._input.write(self._command.stdin or b"", last=True)

    async def ended(self, stop: asyncio.Event) -> bool:
        """Wait for the shell; past its time, or when stopped, end it with everything it started. Whether timed out."""
        child = self.child
        assert child is not None
        waits = [asyncio.ensure_future(child.exited.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=self._command.timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if child.exited.is_set():
            return False
        await child.end()
        return not stop.is_set()

    async def drain(self, before: ShellState) -> None:
        """Take in what the shell left in the pipes, and what its last children add in a moment.

        The session had the state of `before`, whose variables stay where the shell could not tell its own.
        """
        if self._report_reader is not None:
            self._report_reader.drain()
        self.state_after = shell_state.parse(bytes(self._report), self._nonce, before.env)
        for reader in self._readers:
            reader.drain()
        open_ends = [
            asyncio.ensure_future(reader.ended.wait()) for reader in self._readers if not reader.ended.is_set()
        ]
        if open_ends:
            await asyncio.wait(open_ends, timeout=DRAIN)
            for wait in open_ends:
                wait.cancel()

    def release(self, lingering: deque[Reader]) -> None:
        """Give back what it holds. Pipes that a background process still writes to are emptied, not broken."""
        for reader in self._readers:
            if not reader.ended.is_set():
                reader.sink = _ignore
                lingering.append(reader)
        if self._input is not None:
            self._input.close()
        if self._report_reader is not None:
            self._report_reader.close()

    def result(self, timed_out: bool, cwd: str, sandbox: Sandbox, *, refused: str | None = None) -> CommandResult:
        """How it ended; `refused` says which connections it was refused."""
        child = self.child
        ended = child is not None and child.exited.is_set() and not timed_out
        return CommandResult(
            stdout=self._stdout.text(),
            stderr=self._stderr.text(),
            exit_code=child.exit_code if child and ended else None,
            signal=child.signal if child and ended else None,
            duration_ms=round((time.monotonic() - self._began) * 1000),
            timed_out=timed_out,
            truncated=self._stdout.truncated or self._stderr.truncated,
            cwd=shown(cwd),
            sandbox=sandbox.kind,
            process_limit=sandbox.limited_by,
            notice="\n".join(filter(None, (self._notice(ended, sandbox), refused))) or None,
            stdout_bytes=self._stdout.total,
            stderr_bytes=self._stderr.total,
        )

    def _notice(self, ended: bool, sandbox: Sandbox) -> str | None:
        if self.child is not None and self.child.notice:
            return self.child.notice
        if self.state_after is None:
            return NO_STATE if ended else None
        refused = sandbox.hint(self._stderr.text()) if self.child is not None and self.child.exit_code else None
        return "\n".join(filter(None, (self.state_after.notice, refused))) or None

    def _open_report(self, pipes: list[int]) -> int:
        reading, writing = os.pipe()
        pipes.append(writing)
        self._report_reader = Reader(reading, self._take_report)
        return writing

    def _take_report(self, data: bytes) -> None:
        if len(self._report) < shell_state.MAX_REPORT:
            self._report += data

    def _output(self, pipes: list[int], capture: Capture) -> int:
        reading, writing = os.pipe()
        pipes.append(writing)
        self._readers.append(Reader(reading, capture.feed))
        return writing

    def _stdin(self, pipes: list[int]) -> int:
        if self._command.stdin is None:
            return NOTHING
        reading, writing = os.pipe()
        pipes.append(reading)
        self._input = Writer(writing)
        return reading


def shown(path: str) -> str:
    """A path as text, whatever its bytes."""
    return os.fsencode(path).decode(errors="replace")


def _ignore(_: bytes) -> None:
    """For output that nobody waits for any more."""


def not_started(error: OSError) -> TerminalError:
    """What to tell when a shell could not be started."""
    return TerminalError(
        f"The shell could not be started: {error.strerror or 'unknown reason'}.",
        code="shell_not_started",
        operator_detail=str(error),
    )
