"""A real SSH server in this process: real shells and terminals behind it, and sshd's habits where they matter."""

import asyncio
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import asyncssh
from asyncssh.packet import Boolean, String, UInt32
from asyncssh.stream import SSHServerStreamSession

USER, PASSWORD = "tester", "correct horse"
SLOW_AFTER = 300_000
"""Bytes after which a server with `slow` takes no more until that is set."""


@dataclass
class SshServer:
    """Where it listens, whom it lets in, and what it saw."""

    host_keys: list[asyncssh.SSHKey]
    home: Path
    authorized: asyncssh.SSHKey | None = None
    port: int = 0
    questions: tuple[str | tuple[str, ...], ...] = ()
    code: str = ""
    code_alone: bool = False
    """The code is all that is asked for: the password is not."""
    sftp: bool = True
    written: int = 0
    slow: asyncio.Event | None = None
    greeting: bytes = b""
    device: Literal["", "answers", "hangs"] = ""
    most_channels: int = 1000
    shell: str = ""
    """The login shell; empty for bash on terminals and /bin/sh for commands."""
    path: str = ""
    """PATH of the login; empty for that of this process."""
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, what commands say is held back."""
    acceptor: asyncssh.SSHAcceptor = field(init=False)
    on_write: list[Callable[[int], None]] = field(default_factory=list)
    logins: int = 0
    answers: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    forwards: list[int] = field(default_factory=list)
    """The ports that clients have connected to by way of it."""
    shells: list["ShellSession"] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.speaks.set()

    @property
    def open_shells(self) -> list["ShellSession"]:
        return [shell for shell in self.shells if not shell.closed]

    @property
    def fingerprints(self) -> list[str]:
        return [key.get_fingerprint() for key in self.host_keys]


class _Server(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return not self._server.questions

    def kbdint_auth_supported(self) -> bool:
        return bool(self._server.questions)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> object:
        self._asked, self._answers = 0, list[str]()
        return self._challenge()

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> object:
        self._server.answers += responses
        self._answers += responses
        self._asked += 1
        if self._asked < len(self._server.questions):
            return self._challenge()
        wanted = ([] if self._server.code_alone else [PASSWORD]) + ([self._server.code] if self._server.code else [])
        return username == USER and self._answers == wanted

    def _challenge(self) -> object:
        questions = self._server.questions[self._asked]
        asked = (questions,) if isinstance(questions, str) else questions
        return "", "Two steps", "", [(question, False) for question in asked]

    def validate_password(self, username: str, password: str) -> bool:
        return username == USER and password == PASSWORD

    def public_key_auth_supported(self) -> bool:
        return self._server.authorized is not None

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        wanted = self._server.authorized
        return wanted is not None and key.public_data == wanted.public_data

    def auth_completed(self) -> None:
        self._server.logins += 1

    def session_requested(self) -> "ShellSession | bool":
        return len(self._server.open_shells) < self._server.most_channels and ShellSession(self._server)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self._server.forwards.append(dest_port)
        return True


class _Sftp(asyncssh.SFTPServer):
    """Files of this machine; relative paths begin in the server's home."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], server: SshServer) -> None:
        super().__init__(chan)
        self._server = server

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self._server.home), path)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        self._server.written += len(data)
        for told in self._server.on_write:
            told(self._server.written)
        if self._server.slow is not None and self._server.written > SLOW_AFTER:
            return self._later(self._server.slow, file_obj, offset, data)  # type: ignore[return-value]
        return super().write(file_obj, offset, data)  # type: ignore[return-value]

    async def _later(self, gate: asyncio.Event, file_obj: object, offset: int, data: bytes) -> int:
        await gate.wait()
        return super().write(file_obj, offset, data)  # type: ignore[return-value]


class ShellSession(asyncssh.SSHServerSession[bytes]):
    """One channel: a command with pipes, or a login shell on a terminal."""

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self._command: str | None = None
        self._size: tuple[int, int] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._master: int | None = None
        self._slave: int | None = None
        self._input: asyncio.StreamWriter | None = None
        self._early: list[bytes] = []
        self._eof = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        server.shells.append(self)

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        self._size = term_size[:2]
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = command
        self._server.commands.append(command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """SFTP has a session of its own, which takes the place of this one."""
        if subsystem != "sftp" or not self._server.sftp:
            return False
        session = SSHServerStreamSession[bytes](None, lambda chan: _Sftp(chan, self._server), 3)
        self._channel._session = session
        session.connection_made(self._channel)
        return True

    def session_started(self) -> None:
        work = self._terminal() if self._size else self._pipes()
        if self._server.device and not self._size:
            work.close()
            work = self._as_a_device()
        self._task = asyncio.get_running_loop().create_task(work)

    def data_received(self, data: bytes, datatype: object) -> None:
        if self._master is not None:
            os.write(self._master, data)
        elif self._input is not None:
            if not self._input.is_closing():
                self._input.write(data)
        else:
            self._early.append(data)

    def eof_received(self) -> bool:
        self._eof = True
        if self._input is not None:
            _end_input(self._input)
        return True

    def signal_received(self, signal_name: str) -> None:
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.Signals[f"SIG{signal_name}"])

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._master is not None:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._may_write.set()
        self._close_terminal()
        if self._input is not None:
            self._input.close()

    async def _as_a_device(self) -> None:
        """What a switch makes of the command line of a POSIX host."""
        self._channel.write(b"\r\n% Invalid input detected at '^' marker.\r\n")
        if self._server.device == "answers":
            self._report(1)
            self._channel.close()

    async def _pipes(self) -> None:
        reading, writing = (
            os.pipe()
        )  # asyncio's own would be a socket, for which bash takes itself to be a remote login
        process = self._process = await asyncio.create_subprocess_exec(
            self._server.shell or "/bin/sh",
            "-c",
            self._command or "true",
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._server.home,
            env=self._environment(),
            start_new_session=True,
        )
        os.close(reading)
        assert process.stdout is not None
        assert process.stderr is not None
        if self._server.greeting:  # as a .bashrc may say something
            self._channel.write(self._server.greeting, asyncssh.EXTENDED_DATA_STDERR)
        self._input = await _writer(writing)
        for data in self._early:
            self._input.write(data)
        if self._eof:
            _end_input(self._input)
        pumps = asyncio.gather(
            self._pump(process.stdout, None), self._pump(process.stderr, asyncssh.EXTENDED_DATA_STDERR)
        )
        self._report(await _reaped(process))  # like sshd: at once, though a background process may hold the pipes
        await pumps
        process._transport.close()  # type: ignore[attr-defined]
        self._channel.close()

    async def _terminal(self) -> None:
        master, slave = os.openpty()
        self._master, self._slave = master, slave
        assert self._size is not None
        self.terminal_size_changed(*self._size, 0, 0)
        self._process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            'exec <>"$0" >&0 2>&0 && eval "$1"',
            os.ttyname(slave),
            f"exec {self._server.shell or 'bash'} -i" if self._command is None else self._command,
            stdin=subprocess.DEVNULL,
            cwd=self._server.home,
            env={
                **self._environment(),
                "TERM": self._channel.get_terminal_type() or "dumb",
                "SSH_TTY": os.ttyname(slave),
            },
            start_new_session=True,
        )
        loop = asyncio.get_running_loop()
        os.set_blocking(master, False)
        loop.add_reader(master, self._read_terminal)
        code = await _reaped(self._process)
        self._read_terminal()
        self._report(code)
        self._close_terminal()
        self._channel.close()

    def _environment(self) -> dict[str, str]:
        return {**_environment(self._server), "SSH_CONNECTION": _ends_of(self._channel.get_connection())}

    def _read_terminal(self) -> None:
        try:
            while self._master is not None and (data := os.read(self._master, 65536)):
                self._channel.write(data)
        except OSError:
            return

    def _close_terminal(self) -> None:
        if self._master is not None:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = None
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    async def _pump(self, source: asyncio.StreamReader, datatype: int | None) -> None:
        try:
            while data := await source.read(32768):
                await self._server.speaks.wait()
                await self._may_write.wait()
                self._channel.write(data, datatype)
        except OSError:  # the channel has gone
            return

    def _report(self, code: int) -> None:
        try:
            if code >= 0:
                self._channel._send_request(b"exit-status", UInt32(code))
            else:
                name = signal.Signals(-code).name.removeprefix("SIG")
                self._channel._send_request(b"exit-signal", String(name), Boolean(False), String(""), String(""))
        except OSError:  # the channel has gone
            return

    async def end(self) -> None:
        """End what it started, once it has started it."""
        while self._task is not None and self._process is None and not self._task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            await _reaped(self._process)
            self._process._transport.close()  # type: ignore[attr-defined]
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(descriptor, "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _end_input(stdin: asyncio.StreamWriter) -> None:
    """An error here would end the whole connection, and a process may well have ended without reading."""
    try:
        stdin.write_eof()
    except (OSError, RuntimeError):
        return


async def _reaped(process: asyncio.subprocess.Process) -> int:
    """The exit code, as soon as the process has ended; `wait` would wait for its pipes too."""
    while process.returncode is None:  # noqa: ASYNC110 - nothing else tells of it
        await asyncio.sleep(0.005)
    return process.returncode


def _environment(server: SshServer) -> dict[str, str]:
    path = server.path or os.environ["PATH"]
    return {
        "HOME": str(server.home),
        "PATH": path,
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": server.shell or "/bin/sh",
    }


def _ends_of(connection: "asyncssh.SSHConnection") -> str:
    (host, port), (own_host, own_port) = (connection.get_extra_info(name)[:2] for name in ("peername", "sockname"))
    return f"{host} {port} {own_host} {own_port}"


@asynccontextmanager
async def running_ssh_server(
    home: Path,
    *,
    host_keys: list[asyncssh.SSHKey] | None = None,
    authorized: asyncssh.SSHKey | None = None,
    port: int = 0,
    questions: tuple[str | tuple[str, ...], ...] = (),
    code: str = "",
) -> AsyncIterator[SshServer]:
    """A server on loopback, gone with everything it started when the block ends."""
    server = SshServer(
        host_keys or [asyncssh.generate_private_key("ssh-ed25519")], home, authorized, questions=questions, code=code
    )
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=lambda: _Server(server),
        server_host_keys=server.host_keys,
        encoding=None,
        line_editor=False,
        config=None,
    )
    server.port = acceptor.get_port()
    server.acceptor = acceptor
    try:
        yield server
    finally:
        acceptor.close()
        for connection in server.connections:
            connection.abort()
        await acceptor.wait_closed()
        for connection in server.connections:
            await connection.wait_closed()
        await _end_shells(server)


async def _end_shells(server: SshServer) -> None:
    for shell in server.shells:
        await shell.end()
