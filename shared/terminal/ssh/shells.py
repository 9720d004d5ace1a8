"""Shells on a host, each for one command. One is begun ahead, with the state that the last command left, so that the next
command need not wait for a channel, a login shell and what that reads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any

import asyncssh

from shared.errors import TerminalError
from shared.structured import get_logger
from shared.terminal.ssh import remote_shell
from shared.terminal.ssh.command_run import CommandRun
from shared.terminal.ssh.remote_shell import RemoteState

log = get_logger(__name__)

OpenChannel = asyncssh.SSHClientChannel[bytes]
Open = Callable[["Shell", str], Awaitable[OpenChannel]]

UNUSED_SECONDS = 120.0
"""So long a shell waits for a command; what it does not get by then, gets another one."""

MOST_SAID = 64 * 1024
CLOSE_TIMEOUT = 1.0


class Shell(asyncssh.SSHClientSession[bytes]):
    """A shell that waits for its command. What a login says before is kept for the command's output."""

    def __init__(self, marker: str, state: RemoteState) -> None:
        self.marker = marker
        self.nonce = token_hex(16)
        self.state = state
        self.waits = True
        self._run: CommandRun | None = None
        self._said: list[tuple[bytes, asyncssh.DataType]] = []
        self._channel: OpenChannel | None = None

    @property
    def channel(self) -> OpenChannel:
        """Its channel, once it is open."""
        assert self._channel is not None
        return self._channel

    def serve(self, run: CommandRun, lines: bytes) -> None:
        """Give it what it is to do; from now on it is the run that hears of it."""
        self._run, self.waits = run, False
        for data, datatype in self._said:
            run.data_received(data, datatype)
        self._said.clear()
        self.write(lines)

    def write(self, lines: bytes) -> None:
        """Let it read something. Its input ends with the channel alone, which is how the host notices that we are gone."""
        try:
            self.channel.write(lines)
        except OSError:  # it has ended
            return

    def abandon(self) -> None:
        """Close its channel, if it has one by now; a shell that has got no command ends with it."""
        self.waits = False
        if self._channel is not None:
            self._channel.abort()

    def connection_made(self, chan: OpenChannel) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._run is not None:
            self._run.data_received(data, datatype)
            return
        self._said.append((data, datatype))
        if sum(len(said) for said, _ in self._said) > MOST_SAID:
            self.abandon()

    def exit_status_received(self, status: int) -> None:
        self.waits = False
        if self._run is not None:
            self._run.exit_status_received(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.waits = False
        if self._run is not None:
            self._run.exit_signal_received(signal, core_dumped, msg, lang)

    def connection_lost(self, exc: Exception | None) -> None:
        self.waits = False
        if self._run is not None:
            self._run.connection_lost(exc)


class Shells:
    """Begins shells, and keeps one that waits. `marker` is the session's, `first_env` what its first shell has set."""

    def __init__(self, marker: str, first_env: Mapping[str, str], open_channel: Open) -> None:
        self.begun = 0
        self._marker = marker
        self._first_env = first_env
        self._open = open_channel
        self._next: asyncio.Task[Shell] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False

    async def take(self, state: RemoteState) -> tuple[Shell, bool]:
        """A shell with this state, and whether it has waited. Raises as opening a channel does."""
        begun, self._next = self._next, None
        self._stop_timer()
        if begun is not None:
            try:
                shell = await begun
            except asyncio.CancelledError:
                _give_up(begun)
                raise
            except TerminalError:
                pass
            else:
                if shell.waits and shell.state is state:
                    return shell, True
                shell.abandon()
        return await self.begin(state), False

    async def begin(self, state: RemoteState, env: Mapping[str, str] | None = None) -> Shell:
        """A new one, with these variables where its state has none of its own. Raises as opening a channel does."""
        shell = Shell(self.next_marker(), state)
        given = env if env is not None else {} if state.exports else self._first_env
        try:
            await self._open(shell, remote_shell.LAUNCHER)
        except BaseException:
            shell.abandon()
            raise
        shell.write(remote_shell.shells(state, given, marker=shell.marker, nonce=shell.nonce))
        return shell

    def next_marker(self) -> str:
        """The marker of one more shell; they are of one length, since they are looked for by their beginning."""
        self.begun += 1
        return f"{self._marker}:{self.begun:09d}"

    def prepare(self, state: RemoteState) -> None:
        """Begin the next one; where the host refuses that, no other is begun ahead."""
        if self._refused or self._next is not None:
            return
        loop = asyncio.get_running_loop()
        self._next = loop.create_task(self.begin(state))
        self._next.add_done_callback(self._note_end)
        self._timer = loop.call_later(UNUSED_SECONDS, self.drop)

    @property
    def begins_ahead(self) -> bool:
        """Whether this task begins the one that is to wait, which nobody has asked for yet."""
        return self._next is asyncio.current_task()

    async def make_room(self) -> bool:
        """End the one that waits, so that there can be another channel; false where there is none."""
        if self.begins_ahead:
            return False
        begun, self._next = self._next, None
        self._stop_timer()
        if begun is None:
            return False
        try:
            await asyncio.wait({begun})
        except asyncio.CancelledError:
            _give_up(begun)
            raise
        if begun.cancelled() or begun.exception() is not None:
            return False
        shell = begun.result()
        shell.abandon()
        try:
            await asyncio.wait_for(shell.channel.wait_closed(), CLOSE_TIMEOUT)
        except TimeoutError:
            pass
        return True

    def drop(self) -> None:
        """End the one that waits, or that is being begun."""
        begun, self._next = self._next, None
        self._stop_timer()
        if begun is not None:
            _give_up(begun)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note_end(self, begun: "asyncio.Task[Shell]") -> None:
        error = None if begun.cancelled() else begun.exception()
        if isinstance(error, TerminalError):
            self._refused = error.code == "channel_refused"
        elif error is not None:
            log.warning("no shell could be begun ahead", reason=repr(error))


def _give_up(begun: "asyncio.Task[Shell]") -> None:
    """End it, also where it comes in spite of that."""
    begun.cancel()
    begun.add_done_callback(_abandon)


def _abandon(begun: "asyncio.Task[Shell]") -> None:
    if not begun.cancelled() and begun.exception() is None:
        begun.result().abandon()


async def given_up(taking: "asyncio.Task[tuple[Shell, bool]]") -> None:
    """End a shell that is being opened. Nothing runs in it: it has not been told what to run."""
    taking.cancel()
    await asyncio.wait({taking})
    if not taking.cancelled() and taking.exception() is None:
        taking.result()[0].abandon()


def close_opened(opening: "asyncio.Future[tuple[OpenChannel, Any]]") -> None:
    """Close a channel that nobody waits for any more: the host counts it."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()
