"""An SSH session: commands on channels of their own, and one login shell on a terminal."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import asyncssh
from asyncssh.constants import OPEN_REQUEST_SESSION_FAILED

from shared.domain.signals import SignalName
from shared.domain.targets import SshTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, invalid_field
from shared.terminal.channel import Command, Inherited, Seat
from shared.terminal.environment import NON_INTERACTIVE
from shared.terminal.mask import Mask
from shared.terminal.notices import NO_STATE, new_shell, notice
from shared.terminal.ssh import prepared, remote_shell, sudo
from shared.terminal.ssh.command_run import CommandRun, Lingering, QuietRun
from shared.terminal.ssh.file_errors import no_sftp
from shared.terminal.ssh.link import Connect, Link, lost, no_shell, refused, too_slow
from shared.terminal.ssh.login import Connection
from shared.terminal.ssh.login_shell import LoginShell
from shared.terminal.ssh.remote_files import RemoteFiles
from shared.terminal.ssh.remote_shell import RemoteState
from shared.terminal.ssh.shells import OpenChannel, Shell, Shells, close_opened, given_up

OPEN_TIMEOUT = 10
GREETING_TIMEOUT = 8
"""Seconds that a host's shell gets to begin; a device that has none may say nothing for ever."""
ASIDE_TIMEOUT = 5
REAP_TIMEOUT = 4
CLOSE_TIMEOUT = 1
FREEING_SECONDS, FREEING_PAUSE = 1.0, 0.03
"""Hosts allow so many channels, and some count one for a moment after its end."""
SPARING_SECONDS = 0.3
"""So long a host may still count one that has ended before that of a background process is given up for another."""


class SshChannel:
    """A session on a host, at the end of the way there; `connect` makes that way again when it was lost.

    What the commands of a session have set is kept here and goes with each of them, so that it outlives a connection.
    """

    def __init__(self, seat: Seat, target: SshTarget, way: Sequence[Connection], connect: Connect) -> None:
        self._seat = seat
        self._background = target.background
        self._password, self._left_root = target.login.password, False
        self._link = Link(way, connect, self._note_loss)
        self._first_env = {**NON_INTERACTIVE, **target.env}
        self._state = RemoteState(cwd=target.cwd or "")
        self._shells = Shells(seat.marker, self._first_env, self._open)
        self._cut_off: tuple[Shell, CommandRun] | None = None
        self._lingering = Lingering()
        self._shell: LoginShell | None = None
        self._mask = Mask()
        self._transfers: set[RemoteFiles] = set()
        self._told = self._shell_told = 0
        self._freed = -FREEING_SECONDS

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._link.connected

    @property
    def inherited(self) -> Inherited:
        """The variables and the umask of the next command; before the first one only the variables that it is given."""
        variables = remote_shell.variables(self._state) if self._state.exports else self._first_env
        return Inherited(variables, self._state.umask)

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command in a fresh shell that takes over the state of the one before it."""
        shell, run = await (self._begun_as_root(command, stop) if command.sudo else self._begun(command, stop))
        channel = shell.channel
        if not await run.ended(stop, command.timeout - (time.monotonic() - run.began)):
            await self._reap(shell, run)
            await _within(run.over.wait(), CLOSE_TIMEOUT)
            channel.abort()
            return self._result(command, run, timed_out=not stop.is_set())
        self._leave(channel, run)
        result = self._result(command, run, timed_out=False)
        self._shells.prepare(self._state)
        return result

    async def _begun(self, command: Command, stop: asyncio.Event) -> tuple[Shell, CommandRun]:
        """The command in a shell that has begun with it; one that has waited may have ended meanwhile."""
        while True:
            taking = asyncio.ensure_future(self._shells.take(self._state))
            if not await _done_before(stop, taking):
                await given_up(taking)
                raise _stopped()
            shell, waited = taking.result()
            run = CommandRun(command, shell.nonce)
            self._cut_off = shell, run
            shell.serve(run, self._task(command, shell))
            patience = command.timeout if waited else min(GREETING_TIMEOUT, command.timeout)
            if await run.greets(stop, patience) or (not run.over.is_set() and patience == command.timeout):
                return shell, run
            if not run.over.is_set():  # one that is only slow may have begun
                await self._reap(shell, run)
            shell.abandon()
            if not waited:
                raise no_shell(run.said)

    async def _begun_as_root(self, command: Command, stop: asyncio.Event) -> tuple[sudo.RootShell, CommandRun]:
        """The command in a root shell that has begun with it, in the session's directory, with none of its variables."""
        self._left_root = True
        shell = sudo.RootShell(self._shells.next_marker(), RemoteState(self._state.cwd), self._password)
        return shell, await shell.begin(self._open, command, self._task(command, shell), stop)

    async def start(self) -> None:
        """Start the login shell on a terminal, or the background command."""
        if self._background is not None and self._shell is not None:
            raise TerminalError("The background command has ended; run it again.", code="command_ended")
        await self._connection()
        again, code = self._shell is not None, self._seat.exit_code
        shell = LoginShell(self._seat, self._mask, before=self._notice_of_new_shell(code) if again else b"")
        command = None if self._background is None else await self._prepared(self._background)
        self._seat.exit_code = None
        await self._open(shell, command, **shell.options())
        self._shell = shell
        self._seat.reason = None

    def _notice_of_new_shell(self, exit_code: int | None) -> bytes:
        if self._shell_told == self._link.times_lost:
            return new_shell(exit_code, "the home directory")
        self._shell_told = self._link.times_lost
        return notice(
            f"the connection was lost ({self._link.reason}) and made again; this is a new shell, and what was set or "
            "running in the one before is lost"
        )

    async def _prepared(self, command: str) -> str:
        """The command line that runs the command on a terminal. Raises TerminalError, Unsupported, InvalidInput."""
        nonce = token_hex(16)
        text = prepared.kept(command, cwd=self._state.cwd, env=self._first_env, marker=self._shell_marker, nonce=nonce)
        if await self._aside(prepared.keeping(nonce), cwd=self._state.cwd, stdin=text.encode()):
            raise TerminalError("The host has no room for the command in its /tmp.", code="shell_not_started")
        return prepared.running(nonce)

    async def signal(self, name: SignalName) -> None:
        """Send a signal to the job in front; where the host does not show its processes, to the login shell."""
        shell = self._shell
        if shell is None:
            raise lost()
        if await self._aside(prepared.signaller(name, self._shell_marker)):
            shell.signal(name)

    async def runs_jobs(self) -> bool:
        """Whether the host shows a job on the terminal, or what a command has left running. Raises GatewayError."""
        if not self.connected or not (self._shells.begun or self._shell):
            return False
        await self._shells.make_room()  # so that the shell that waits for a command is not taken for a job
        return await self._aside(prepared.jobs(self._seat.marker)) == 0

    @property
    def _shell_marker(self) -> str:
        return f"{self._seat.marker}:shell"

    async def _aside(self, text: str, *, cwd: str = "", stdin: bytes | None = None) -> int | None:
        """Run something small beside the session's commands, whose state it does not touch; its exit code."""
        command = Command(text=text, timeout=ASIDE_TIMEOUT, max_output_bytes=1000, stdin=stdin)
        shell = await self._shells.begin(RemoteState(cwd), {})
        run = CommandRun(command, shell.nonce)
        shell.serve(run, remote_shell.task(text, shell.state, {}, nonce=shell.nonce, stdin=stdin or b""))
        never = asyncio.Event()
        try:
            if not await run.greets(never, GREETING_TIMEOUT):
                raise no_shell(run.said)
            if not await run.ended(never, ASIDE_TIMEOUT):
                raise too_slow()
        finally:
            shell.channel.close()
        if run.gone:
            raise invalid_field("cwd", "there is no such directory")
        if run.lost:
            raise lost(self._link.reason)
        return run.exit_code

    def send(self, data: bytes) -> None:
        """Type into the login shell."""
        if self._shell is None:
            raise lost()
        self._shell.send(data)

    def answer(self, secret: str) -> None:
        """Type a secret and Enter into the login shell, where nobody will see it."""
        if self._shell is None:
            raise lost()
        self._shell.answer(secret)

    def resize(self) -> None:
        """Tell the login shell its new size."""
        if self._shell is not None:
            self._shell.resize()

    @asynccontextmanager
    async def files(self) -> AsyncIterator[RemoteFiles]:
        """The host's files, on a channel of its own."""
        sftp = await self._sftp()
        files = RemoteFiles(sftp, cwd=self._state.cwd, umask=int(self._state.umask or "022", 8))
        self._transfers.add(files)
        try:
            yield files
        finally:
            self._transfers.discard(files)
            files.over.set()
            sftp.exit()
            self._freed = time.monotonic()

    async def _sftp(self) -> asyncssh.SFTPClient:
        connection = await self._connection()
        try:
            return await asyncio.wait_for(connection.start_sftp_client(path_errors="surrogateescape"), OPEN_TIMEOUT)
        except (asyncssh.Error, OSError) as error:
            if not self.connected:
                raise lost(str(error)) from error
            if not isinstance(error, asyncssh.ChannelOpenError) or error.code == OPEN_REQUEST_SESSION_FAILED:
                raise no_sftp(error) from error
            if await self._made_room():
                return await self._sftp()
            raise refused(error) from error

    async def aclose(self) -> None:
        """End what runs on the other side, then the connection."""
        for files in list(self._transfers):
            files.stop()
            await _within(files.over.wait(), REAP_TIMEOUT)
        if self._shell is not None:
            self._shell.hang_up()
        self._shells.drop()
        await self._lingering.close()
        self._freed = time.monotonic()
        if self._left_root and self.connected:
            await _within(sudo.end_all(self._open, self._seat.marker, self._password), REAP_TIMEOUT)
        if (self._shells.begun or self._shell is not None) and self.connected:
            await _within(self._run_reaper(remote_shell.reaper(f"{self._seat.marker}:")), REAP_TIMEOUT)
        await self._link.aclose()

    def _task(self, command: Command, shell: Shell) -> bytes:
        state = shell.state
        if command.cwd:
            state = RemoteState(prepared.joined(state.cwd, command.cwd), state.umask)
        return remote_shell.task(command.text, state, command.env, nonce=shell.nonce, stdin=command.stdin or b"")

    async def _open(
        self,
        session: "asyncssh.SSHClientSession[bytes]",
        command: str | None,
        **options: Any,
    ) -> OpenChannel:
        connection = await self._connection()
        opening = asyncio.ensure_future(connection.create_session(lambda: session, command, encoding=None, **options))
        try:
            channel, _ = await asyncio.wait_for(asyncio.shield(opening), OPEN_TIMEOUT)
        except asyncio.CancelledError:
            opening.add_done_callback(close_opened)
            raise
        except TimeoutError as error:
            opening.add_done_callback(close_opened)
            raise too_slow() if self.connected else lost() from error
        except (asyncssh.Error, OSError) as error:
            if self.connected and isinstance(error, asyncssh.ChannelOpenError):
                if await self._made_room():
                    return await self._open(session, command, **options)
                raise refused(error, shell_open=bool(self._shell) and not self._seat.scrollback.ended) from error
            raise lost(str(error)) from error
        return channel

    async def _made_room(self) -> bool:
        """Whether another channel may be had where one was refused: that of the shell that waits, or one that has ended.

        At last one that a background process holds, though not for a shell that nobody waits for.
        """
        if await self._shells.make_room():
            self._freed = time.monotonic()
        wanted = not self._shells.begins_ahead and time.monotonic() - self._freed >= SPARING_SECONDS
        if wanted and await self._lingering.close_oldest():
            self._freed = time.monotonic()
        if time.monotonic() - self._freed >= FREEING_SECONDS:
            return False
        await asyncio.sleep(FREEING_PAUSE)
        return True

    async def _connection(self) -> Connection:
        """The connection; on a new one, what was cut off by the loss of the one before is ended first."""
        before = self._link.times_lost
        connection = await self._link.connection()
        if self._link.times_lost != before:
            self._lingering.forget()
            if self._shell is None:
                self._seat.reason = None
                self._seat.scrollback.reopen()
            else:
                self._seat.reason = "The interactive shell was lost with a connection; typing starts another one."
            cut_off, self._cut_off = self._cut_off, None
            if cut_off is not None:
                await self._reaped(*cut_off)
        return connection

    def _leave(self, channel: OpenChannel, run: CommandRun) -> None:
        self._freed = time.monotonic()
        self._lingering.keep(channel, run)

    async def _reap(self, shell: Shell, run: CommandRun) -> None:
        """Signal the process group first (closing a channel alone does not stop it), then find what left the group."""
        if isinstance(shell, sudo.RootShell):
            shell.end()
            await _within(run.over.wait(), REAP_TIMEOUT)
            return
        try:
            shell.channel.send_signal("TERM")
        except OSError:
            return
        await self._reaped(shell, run)

    async def _reaped(self, shell: Shell, run: CommandRun) -> None:
        await _within(self._run_reaper(remote_shell.reaper(shell.marker, group=run.group)), REAP_TIMEOUT)

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
            raise lost(self._link.reason)
        self._cut_off = None
        state = run.state(self._state)
        if not command.sudo:
            self._state = state or self._state
        kept = state.notice if state else None if timed_out else NO_STATE
        return CommandResult(
            stdout=run.stdout.text(),
            stderr=run.stderr.text(),
            exit_code=None if timed_out else run.exit_code,
            signal=None if timed_out else run.signal,
            duration_ms=round((time.monotonic() - run.began) * 1000),
            timed_out=timed_out,
            truncated=run.stdout.truncated or run.stderr.truncated,
            cwd=(self._state.cwd.encode(errors="surrogateescape") or run.login_directory or b"~").decode(
                errors="replace"
            ),
            stdout_bytes=run.stdout.total,
            stderr_bytes=run.stderr.total,
            notice=" ".join(filter(None, (self._notice(), kept))) or None,
        )

    def _notice(self) -> str | None:
        if self._told == self._link.times_lost:
            return None
        self._told = self._link.times_lost
        return (
            f"The connection to the host was lost ({self._link.reason}) and was made again for this command. Directory, "
            "umask and exported variables are those that the last finished command left; a command that was cut off "
            "has been ended, and an interactive shell is gone."
        )

    def _note_loss(self, reason: str) -> None:
        self._seat.reason = f"The connection to the host was lost: {reason}. The next use makes it again."
        self._seat.scrollback.finish()


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
