"""A root shell on a host through sudo, which gets the stored password at its own prompt and nowhere else."""

import asyncio
from secrets import token_hex

import asyncssh
from pydantic import SecretStr

from shared.errors import GatewayError, TerminalError, Unsupported
from shared.terminal.channel import Command
from shared.terminal.environment import NON_INTERACTIVE
from shared.terminal.ssh import remote_shell
from shared.terminal.ssh.command_run import CommandRun
from shared.terminal.ssh.remote_shell import RemoteState
from shared.terminal.ssh.shells import Open, Shell

START_SECONDS = 15
MOST_SAID = 16 * 1024


class RootShell(Shell):
    """A shell that sudo starts. The password is sent when sudo asks, so that no command and no other program reads it.

    Nothing that comes before the shell stands is output of a command.
    """

    def __init__(self, marker: str, state: RemoteState, password: SecretStr | None) -> None:
        super().__init__(marker, state)
        self._password = password
        self._prompt, self._ready = token_hex(16).encode(), token_hex(16).encode()
        self._before = b""
        self._answered = self._stands = False
        self._problem: TerminalError | Unsupported | None = None
        self._settled = asyncio.Event()

    @property
    def command_line(self) -> str:
        """What starts it, in words that every shell reads alike."""
        return remote_shell.root_launcher(prompt=self._prompt.decode(), ready=self._ready.decode())

    async def begin(self, open_channel: Open, command: Command, task: bytes, stop: asyncio.Event) -> CommandRun:
        """The command, begun. Raises TerminalError, Unsupported."""
        try:
            await open_channel(self, self.command_line)
            await self._wait(stop)
            self.write(remote_shell.shells(self.state, NON_INTERACTIVE, marker=self.marker, nonce=self.nonce))
            run = CommandRun(command, self.nonce)
            self.serve(run, task)
            if not await run.greets(stop, START_SECONDS):
                raise _refused(run.said.encode())
        except BaseException:
            self.abandon()
            raise
        return run

    async def _wait(self, stop: asyncio.Event) -> None:
        """Wait until it takes commands. Raises TerminalError, Unsupported."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._settled, stop)]
        await asyncio.wait(waits, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._stands:
            raise self._problem or _refused(self._before)

    def end(self) -> None:
        """Close its input, at which the watcher, as root, ends all that the command has started."""
        try:
            self.channel.write_eof()
        except OSError:  # it has ended
            return

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._stands:
            super().data_received(data, datatype)
        elif datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._before = (self._before + data)[-MOST_SAID:]
            self._look()

    def exit_status_received(self, status: int) -> None:
        self._settled.set()
        super().exit_status_received(status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settled.set()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Answer sudo's prompt, once, and find the sign that the shell stands."""
        _, asked, after = self._before.partition(self._prompt)
        if asked:
            self._before = after
            self._answer()
        _, begun, after = self._before.partition(self._ready + b"\n")
        if begun:
            self._stands, self._before = True, b""
            self._settled.set()
            if after:
                super().data_received(after, asyncssh.EXTENDED_DATA_STDERR)

    def _answer(self) -> None:
        if self._password is None:
            self._problem = Unsupported(
                "sudo on the host asks for a password, and the session holds none; open it on a saved connection that has one.",
                code="sudo_without_credentials",
            )
        elif self._answered:
            self._problem = _refused(b"it does not accept the stored password")
        else:
            self._answered = True
            self.write(self._password.get_secret_value().encode() + b"\n")
        if self._problem is not None:
            self._settled.set()


async def end_all(open_channel: Open, marker: str, password: SecretStr | None) -> None:
    """End, as root, what commands by sudo of the session with this marker have left running."""
    shell = RootShell(f"{marker}-", RemoteState(), password)
    command = Command(text=remote_shell.reaper(f"{marker}:"), timeout=START_SECONDS, max_output_bytes=1000)
    task = remote_shell.task(command.text, shell.state, {}, nonce=shell.nonce)
    try:
        run = await shell.begin(open_channel, command, task, asyncio.Event())
    except GatewayError:
        return
    await run.over.wait()


def _refused(said: bytes) -> TerminalError:
    text = " ".join(said.decode(errors="replace").split())[-300:]
    printable = "".join(letter for letter in text if letter.isprintable())
    return TerminalError(
        f"sudo on the host did not start a shell, so nothing was run: {printable or 'it did not answer in time'}.",
        code="sudo_refused",
    )
