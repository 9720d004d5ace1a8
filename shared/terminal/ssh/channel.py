"""An SSH session: commands, and beside them one login shell on a terminal and the host's files."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from secrets import token_hex

import asyncssh
from asyncssh.constants import OPEN_REQUEST_SESSION_FAILED

from shared.domain.signals import SignalName
from shared.domain.targets import SshTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError
from shared.terminal.channel import Command, Seat
from shared.terminal.mask import Mask
from shared.terminal.notices import new_shell, notice
from shared.terminal.ssh import prepared
from shared.terminal.ssh.executor import OPEN_TIMEOUT, REAP_TIMEOUT, SshExecutor, within
from shared.terminal.ssh.file_errors import no_sftp
from shared.terminal.ssh.link import Connect, lost, refused
from shared.terminal.ssh.login import Connection
from shared.terminal.ssh.login_shell import LoginShell
from shared.terminal.ssh.remote_files import RemoteFiles


class SshChannel(SshExecutor):
    """A session on a host: commands, and beside them one login shell on a terminal."""

    def __init__(self, seat: Seat, target: SshTarget, way: Sequence[Connection], connect: Connect) -> None:
        super().__init__(seat.marker, target, way, connect)
        self._seat = seat
        self._background = target.background
        self._shell: LoginShell | None = None
        self._mask = Mask()
        self._transfers: set[RemoteFiles] = set()
        self._shell_told = 0

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command in a fresh shell; the shell of the next one begins afterwards."""
        result = await super().execute(command, stop)
        if not result.timed_out:
            self._shells.prepare(self._state)
        return result

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
        return await self._aside(prepared.jobs(self._marker)) == 0

    @property
    def _shell_marker(self) -> str:
        return f"{self._marker}:shell"

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
            await within(files.over.wait(), REAP_TIMEOUT)
        if self._shell is not None:
            self._shell.hang_up()
        await super().aclose()

    @property
    def _has_begun(self) -> bool:
        return super()._has_begun or self._shell is not None

    @property
    def _terminal_open(self) -> bool:
        return self._shell is not None and not self._seat.scrollback.ended

    def _note_loss(self, reason: str) -> None:
        self._seat.reason = f"The connection to the host was lost: {reason}. The next use makes it again."
        self._seat.scrollback.finish()

    def _note_return(self) -> None:
        if self._shell is None:
            self._seat.reason = None
            self._seat.scrollback.reopen()
        else:
            self._seat.reason = "The interactive shell was lost with a connection; typing starts another one."
