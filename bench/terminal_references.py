"""What the terminal is held against: the shortest ways that Python and OpenSSH have to the same thing."""

import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import on_core

from tests.support.openssh_server import OpenSsh, running_openssh

READ_SIZE = 64 * 1024
LETTERS = "abcdefghij"
LINE_LENGTH = 50
CLEAR_LINE = "\x15"


def run_shell(shell: str) -> float:
    """Seconds for `true` in a shell of its own."""
    began = time.perf_counter()
    subprocess.run([shell, "-c", "true"], check=True)
    return time.perf_counter() - began


def cat_through_terminal(file: Path, expected: int) -> float:
    """Seconds for a file through a pseudo-terminal that is read as fast as it goes. Raises RuntimeError if some is lost."""
    master, slave = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(["cat", file], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen = 0
    while part := _read(master):
        seen += len(part)
    process.wait()
    took = time.perf_counter() - began
    os.close(master)
    if seen != expected:
        raise RuntimeError(f"{seen} of {expected} bytes came through the plain terminal")
    return took


def _read(master: int) -> bytes:
    try:
        return os.read(master, READ_SIZE)
    except OSError:  # the other side has gone
        return b""


class PlainShell:
    """bash on a plain pseudo-terminal."""

    def __init__(self, home: Path) -> None:
        self._master, slave = pty.openpty()
        environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "PS1": "$ "}
        # Opening it makes it the controlling terminal of a session leader that has none.
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        self._pid = os.posix_spawnp("bash", ["bash", "--norc", "-i"], environ, file_actions=actions, setsid=True)
        os.close(slave)
        while b"$ " not in os.read(self._master, READ_SIZE):
            pass

    def echo(self, letter: str) -> float:
        """Seconds from a keystroke to its echo."""
        began = time.perf_counter()
        os.write(self._master, letter.encode())
        while letter.encode() not in os.read(self._master, READ_SIZE):
            pass
        return time.perf_counter() - began

    def clear(self) -> None:
        """Take back what was typed."""
        os.write(self._master, CLEAR_LINE.encode())

    def close(self) -> None:
        """End it."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._master)


@dataclass(frozen=True)
class Ssh:
    """OpenSSH's server, and its client with a connection that is shared."""

    server: OpenSsh
    client: list[str]

    @property
    def target(self) -> dict[str, Any]:
        """What opens a session on it."""
        server = self.server
        login = {"username": server.username, "privateKey": server.private_key.get_secret_value()}
        return {"type": "ssh", "host": "127.0.0.1", "port": server.port, **login}

    def run(self) -> float:
        """Seconds for `true` on the shared connection."""
        began = time.perf_counter()
        subprocess.run([*self.client, "127.0.0.1", "true"], check=True, stdin=subprocess.DEVNULL)
        return time.perf_counter() - began


@contextmanager
def ssh(folder: Path, core: int | None) -> Iterator[Ssh | str]:
    """Both on loopback, or why there is none."""
    program = shutil.which("ssh")
    if program is None:
        yield "there is no ssh on PATH"
        return
    with ExitStack() as stack:
        try:
            with on_core(core):
                server = stack.enter_context(running_openssh(folder / "sshd", folder))
            found: Ssh | str = Ssh(server, stack.enter_context(_shared(program, server, folder)))
        except pytest.skip.Exception as skipped:
            found = str(skipped)
        yield found


@contextmanager
def _shared(program: str, server: OpenSsh, folder: Path) -> Iterator[list[str]]:
    """A master connection that stays until the end of the block; the command that uses it."""
    key = folder / "client_key"
    server.client_key.write_private_key(key)
    key.chmod(0o600)
    with tempfile.TemporaryDirectory(prefix="mux-") as short:  # a socket's path may not be long
        options = ["StrictHostKeyChecking=no", f"UserKnownHostsFile={os.devnull}", f"ControlPath={short}/s"]
        given = [word for option in (*options, "LogLevel=ERROR") for word in ("-o", option)]
        command = [program, "-F", "none", "-i", str(key), "-p", str(server.port), "-l", server.username, *given]
        subprocess.run([*command, "-o", "ControlMaster=yes", "-f", "-N", "127.0.0.1"], check=True)
        try:
            yield [*command, "-o", "ControlMaster=no"]
        finally:
            subprocess.run([*command, "-O", "exit", "127.0.0.1"], check=True, capture_output=True)
