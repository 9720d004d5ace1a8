"""An SSH session: commands on channels of their own, and one login shell on a terminal."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from secrets import token_hex
from typing import Any

import asyncssh

from shared.domain.targets import SshTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, invalid_field
from shared.terminal.channel import Command, Seat
from shared.terminal.environment import INTERACTIVE, NON_INTERACTIVE
from shared.terminal.process_tree import MARKER
from shared.terminal.ssh import remote_shell
from shared.terminal.ssh.command_run import CommandRun, QuietRun
from shared.terminal.ssh.remote_shell import RemoteState

Connection = asyncssh.SSHClientConnection
OpenChannel = asyncssh.SSHClientChannel[bytes]

OPEN_TIMEOUT = 10
REAP_TIMEOUT = 4
CLOSE_TIMEOUT = 1
MAX_PENDING_INPUT = 1024 * 1024
MAX_LINGERING = 4
MAX_SCRIPT = 128 * 1024 - 512
"""The other side hands the whole script to a shell as one argument."""


class SshChannel:
    """A session on a host. `jump` is the connection that it goes through, where it does."""

    def __init__(self, seat: Seat, target: SshTarget, connection: Connection, jump: Connection | None) -> None:
        self._seat = seat
        self._connection = connection
        self._jump = jump
        self._first_env = {**NON_INTERACTIVE, **target.env}
        self._state = RemoteState(cwd=target.cwd or "")
        self._jobs = 0
        self._lingering: deque[OpenChannel] = deque()
        self._shell: OpenChannel | None = None
        self._loss = asyncio.get_running_loop().create_task(self._notice_loss())

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return not self._loss.done()

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command in a fresh shell that takes over the state of the one before it."""
        nonce = token_hex(16)
        self._jobs += 1
        marker = f"{self._seat.marker}:{self._jobs:09d}"  # of one length, since they are looked for by their beginning
        run = CommandRun(command, nonce)
        opening = asyncio.ensure_future(self._open(run, self._script(command, marker, nonce)))
        if not await _done_before(stop, opening):
            await self._undo(opening, marker, nonce)
            raise _stopped()
        channel = opening.result()
        _give(channel, command.stdin)
        if not await run.ended(stop, command.timeout):
            await self._reap(channel, marker, nonce)
            await _within(run.over.wait(), CLOSE_TIMEOUT)
            channel.abort()
            return self._result(command, run, timed_out=not stop.is_set())
        self._leave(channel, run)
        return self._result(command, run, timed_out=False)

    async def start(self) -> None:
        """Start the login shell on a terminal."""
        seat = self._seat
        self._shell = await self._open(
            _Shell(seat),
            None,
            term_type=INTERACTIVE["TERM"],
            term_size=(seat.cols, seat.rows),
            env={MARKER: f"{seat.marker}:shell"},
        )

    def send(self, data: str) -> None:
        """Type into the login shell."""
        shell = self._shell
        if shell is None or shell.is_closing():
            raise _lost()
        encoded = data.encode()
        if shell.get_write_buffer_size() + len(encoded) > MAX_PENDING_INPUT:
            raise TerminalError(
                "The program in this session does not read its input; interrupt it (send U+0003) or close the session.",
                code="input_not_read",
            )
        shell.write(encoded)

    def resize(self) -> None:
        """Tell the login shell its new size."""
        if self._shell is not None and not self._shell.is_closing():
            self._shell.change_terminal_size(self._seat.cols, self._seat.rows)

    async def aclose(self) -> None:
        """End what runs on the other side, then the connection."""
        if self._shell is not None and not self._shell.is_closing():
            self._shell.send_signal("HUP")
            self._shell.close()
        if self._jobs and self.connected:
            await _within(self._run_reaper(remote_shell.reaper(f"{self._seat.marker}:")), REAP_TIMEOUT)
        for connection in (self._connection, self._jump):
            if connection is not None:
                connection.close()
                await _within(connection.wait_closed(), CLOSE_TIMEOUT)
                connection.abort()
        await asyncio.wait({self._loss}, timeout=CLOSE_TIMEOUT)

    def _script(self, command: Command, marker: str, nonce: str) -> str:
        state = self._state
        if command.cwd:
            state = RemoteState(_joined(state.cwd, command.cwd), state.umask, state.exports)
        env = {**({} if state.exports else self._first_env), **command.env}
        script = remote_shell.script(command.text, state, env, marker=marker, nonce=nonce)
        if len(script) > MAX_SCRIPT:
            raise invalid_field("command", "is too long for an SSH host; pass long text as 'stdin'")
        return script

    async def _open(
        self,
        session: "asyncssh.SSHClientSession[bytes]",
        command: str | None,
        **options: Any,
    ) -> OpenChannel:
        opening = self._connection.create_session(lambda: session, command, encoding=None, **options)
        try:
            channel, _ = await asyncio.wait_for(opening, OPEN_TIMEOUT)
        except (asyncssh.Error, OSError) as error:
            if self.connected and isinstance(error, asyncssh.ChannelOpenError):
                raise TerminalError(
                    "The host does not run this: it refuses another command or shell on the connection.",
                    code="channel_refused",
                    operator_detail=str(error),
                ) from error
            raise _lost(str(error)) from error
        return channel

    async def _undo(self, opening: "asyncio.Task[OpenChannel]", marker: str, nonce: str) -> None:
        """End a command whose channel is being opened: the host may run it, though it has not said so yet."""
        await asyncio.wait({opening}, timeout=CLOSE_TIMEOUT)
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
        if opening.cancelled():
            await _within(self._run_reaper(remote_shell.reaper(marker, nonce=nonce)), REAP_TIMEOUT)
        elif opening.exception() is None:
            await self._reap(opening.result(), marker, nonce)
            opening.result().abort()

    def _leave(self, channel: OpenChannel, run: CommandRun) -> None:
        """Keep open the channel of a background process, which would be broken off by its end; but not many."""
        if run.closed:
            return
        run.ignore()
        self._lingering.append(channel)
        if len(self._lingering) > MAX_LINGERING:
            self._lingering.popleft().close()

    async def _reap(self, channel: OpenChannel, marker: str, nonce: str) -> None:
        """Signal the process group first (closing a channel alone does not stop it), then find what left the group."""
        try:
            channel.send_signal("TERM")
        except OSError:
            return
        await _within(self._run_reaper(remote_shell.reaper(marker, nonce=nonce)), REAP_TIMEOUT)

    async def _run_reaper(self, script: str) -> None:
        run = QuietRun()
        try:
            channel = await self._open(run, script)
        except TerminalError:
            return
        await run.over.wait()
        channel.close()

    def _result(self, command: Command, run: CommandRun, *, timed_out: bool) -> CommandResult:
        if run.gone and command.cwd:
            raise invalid_field("cwd", "there is no such directory")
        if run.gone:
            gone = self._state.cwd
            self._state = RemoteState("~", self._state.umask, self._state.exports)
            raise TerminalError(
                "The directory does not exist there; nothing was run, and the session is now in the home directory.",
                code="directory_gone",
                details={"gone": gone, "cwd": "~"},
            )
        if (run.exit_code is None or run.lost) and not timed_out:
            raise _lost()
        self._state = run.state or self._state
        return CommandResult(
            stdout=run.stdout.text(),
            stderr=run.stderr.text(),
            exit_code=None if timed_out else run.exit_code,
            signal=None if timed_out else run.signal,
            duration_ms=round((time.monotonic() - run.began) * 1000),
            timed_out=timed_out,
            truncated=run.stdout.truncated or run.stderr.truncated,
            cwd=self._state.cwd.encode("utf-8", errors="surrogateescape").decode(errors="replace"),
            stdout_bytes=run.stdout.total,
            stderr_bytes=run.stderr.total,
        )

    async def _notice_loss(self) -> None:
        await self._connection.wait_closed()
        self._seat.scrollback.finish()


class _Shell(asyncssh.SSHClientSession[bytes]):
    """The login shell: what it shows goes to the scrollback."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._seat.scrollback.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._seat.scrollback.finish()


def _give(channel: OpenChannel, stdin: bytes | None) -> None:
    try:
        if stdin:
            channel.write(stdin)
        channel.write_eof()
    except OSError:  # the command has ended without reading it
        return


def _joined(base: str, path: str) -> str:
    return path if path.startswith(("/", "~")) or not base else f"{base.rstrip('/')}/{path}"


async def _done_before(stop: asyncio.Event, work: "asyncio.Task[Any]") -> bool:
    """Wait for the work to be done; false when told to stop before."""
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    return work.done()


async def _within(work: Coroutine[Any, Any, Any], timeout: float) -> None:
    try:
        await asyncio.wait_for(work, timeout)
    except TimeoutError:
        return


def _stopped() -> TerminalError:
    return TerminalError("The command was stopped before it had begun; run it again.", code="command_stopped")


def _lost(operator_detail: str = "") -> TerminalError:
    return TerminalError(
        "The connection to the host was lost; open another session.",
        code="connection_lost",
        operator_detail=operator_detail,
    )
