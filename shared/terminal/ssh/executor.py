"""Commands on a host over SSH, each on a channel of its own."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncssh

from shared.domain.targets import SshTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, invalid_field
from shared.terminal.channel import Command, Inherited
from shared.terminal.environment import NON_INTERACTIVE
from shared.terminal.notices import NO_STATE
from shared.terminal.ssh import prepared, remote_shell, sudo
from shared.terminal.ssh.command_run import CommandRun, Lingering, QuietRun
from shared.terminal.ssh.link import Connect, Link, lost, no_shell, refused, too_slow
from shared.terminal.ssh.login import Connection
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


class SshExecutor:
    """Commands on a host, at the end of the way there; `connect` makes that way again when it was lost.

    What the commands have set is kept here and goes with each of them, so that it outlives a connection. The processes
    on the host are found by the `marker`.
    """

    def __init__(self, marker: str, target: SshTarget, way: Sequence[Connection], connect: Connect) -> None:
        self._marker = marker
        self._password, self._left_root = target.login.password, False
        self._link = Link(way, connect, self._note_loss)
        self._first_env = {**NON_INTERACTIVE, **target.env}
        self._state = RemoteState(cwd=target.cwd or "")
        self._shells = Shells(marker, self._first_env, self._open)
        self._cut_off: tuple[Shell, CommandRun] | None = None
        self._lingering = Lingering()
        self._told = 0
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
            await within(run.over.wait(), CLOSE_TIMEOUT)
            channel.abort()
            return self._result(command, run, timed_out=not stop.is_set())
        self._leave(channel, run)
        return self._result(command, run, timed_out=False)

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

    async def aclose(self) -> None:
        """End what runs on the other side, then the connection."""
        self._shells.drop()
        await self._lingering.close()
        self._freed = time.monotonic()
        if self._left_root and self.connected:
            await within(sudo.end_all(self._open, self._marker, self._password), REAP_TIMEOUT)
        if self._has_begun and self.connected:
            await within(self._run_reaper(remote_shell.reaper(f"{self._marker}:")), REAP_TIMEOUT)
        await self._link.aclose()

    @property
    def _has_begun(self) -> bool:
        """Whether processes were started on the host."""
        return bool(self._shells.begun)

    @property
    def _terminal_open(self) -> bool:
        """Whether a shell on a terminal has one of the host's channels."""
        return False

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
                raise refused(error, shell_open=self._terminal_open) from error
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
            self._note_return()
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
            await within(run.over.wait(), REAP_TIMEOUT)
            return
        try:
            shell.channel.send_signal("TERM")
        except OSError:
            return
        await self._reaped(shell, run)

    async def _reaped(self, shell: Shell, run: CommandRun) -> None:
        await within(self._run_reaper(remote_shell.reaper(shell.marker, group=run.group)), REAP_TIMEOUT)

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
        """The connection was lost."""

    def _note_return(self) -> None:
        """The connection was made again."""


async def _done_before(stop: asyncio.Event, work: "asyncio.Task[Any]") -> bool:
    """Wait for the work to be done; false when told to stop before."""
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    return work.done()


async def within(work: Coroutine[Any, Any, Any], timeout: float) -> None:
    """Wait for the work for so many seconds at most."""
    try:
        await asyncio.wait_for(work, timeout)
    except TimeoutError:
        return


def _stopped() -> TerminalError:
    return TerminalError("The command was stopped before it had begun; run it again.", code="command_stopped")
