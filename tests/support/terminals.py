"""Sessions as the composition root makes them, and what tests ask of processes and output."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from secrets import randbelow
from typing import Any

import psutil
from pydantic import SecretStr

from shared.domain.targets import LocalTarget, SshLogin, SshTarget, Target
from shared.domain.terminal import CommandResult
from shared.security.redaction import Redactor
from shared.terminal.egress import Egress
from shared.terminal.kept_outputs import KeptLimits, KeptOutputs
from shared.terminal.local import LocalShells
from shared.terminal.recordings import Recordings
from shared.terminal.sandbox import Sandbox
from shared.terminal.session import Session
from shared.terminal.sessions import Sessions, TerminalLimits, new_id
from shared.terminal.ssh.hosts import SshHosts
from shared.terminal.ssh.pending_logins import PendingLogins
from shared.terminal.telnet import TelnetHosts
from tests.support.openssh_server import OpenSsh
from tests.support.ssh_server import PASSWORD, USER, SshServer

OWNER = "owner"


def kept_outputs(folder: Path, **limits: Any) -> KeptOutputs:
    """A store in that folder, which is made with the first output."""
    return KeptOutputs(
        folder / "outputs", lambda: datetime.now(UTC), partial(new_id, "out", None), KeptLimits(**limits)
    )


def make_sessions(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    env_allow: tuple[str, ...] = (),
    shell: str = "",
    policy: Any = "trust-first-use",
    timeout: float = 5,
    agent_path: str = "",
    allow_public: bool = False,
    sandbox: Sandbox | None = None,
    egress: Egress | None = None,
    recording: Mapping[str, Any] | None = None,
    kept: Mapping[str, Any] | None = None,
    **limits: Any,
) -> Sessions:
    """All three kinds of target, with known hosts and home in the folder."""
    home = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    logins = PendingLogins(lambda: datetime.now(UTC), partial(new_id, "login", None))
    return Sessions(
        TerminalLimits(**limits),
        local=LocalShells(
            home if environ is None else environ, shell=shell, env_allow=env_allow, sandbox=sandbox, egress=egress
        ),
        ssh=SshHosts(folder / "known_hosts", logins, policy=policy, timeout=timeout, agent_path=agent_path),
        telnet=TelnetHosts(allow_public=allow_public, timeout=timeout),
        recordings=Recordings(folder / "recordings", lambda: datetime.now(UTC), **(recording or {})),
        outputs=kept_outputs(folder, **(kept or {})),
        redactor=Redactor(),
        logins=logins,
    )


def ssh_target(server: SshServer, **fields: Any) -> SshTarget:
    """The server, with the password that it takes."""
    login = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": SecretStr(PASSWORD)}
    own = {name: fields.pop(name) for name in ("jumps", "known_hosts", "cwd", "env") if name in fields}
    return SshTarget(login=SshLogin(**{**login, **fields}), **own)


def openssh_target(server: OpenSsh, **fields: Any) -> SshTarget:
    """OpenSSH's server, with the key that it takes."""
    login = {"host": "127.0.0.1", "port": server.port, "username": server.username, "private_key": server.private_key}
    own = {name: fields.pop(name) for name in ("jumps", "known_hosts", "cwd", "env") if name in fields}
    return SshTarget(login=SshLogin(**{**login, **fields}), **own)


class Terminal:
    """A session with the words that tests use."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self.sessions = sessions
        self.session = session

    async def run(self, text: str, **options: Any) -> CommandResult:
        """A command to its end, which must come within reason."""
        async with asyncio.timeout(20):
            return await self.session.execute(self.sessions.command(text, **options))

    async def shows(self, wanted: str, *, after: int = 0) -> str:
        """All that was shown, once it has the wanted text."""
        shown = ""
        async with asyncio.timeout(10):
            while wanted not in shown:
                part = await self.session.read("test", cursor=after, wait=5)
                shown += part.text
                after = part.cursor
                assert part.text or self.session.connected, f"it ended with {shown!r}"
        return shown

    async def close(self) -> None:
        await self.sessions.close(self.session.owner, self.session.id)


@asynccontextmanager
async def opened(
    sessions: Sessions, target: Target | None = None, owner: str = OWNER, **options: Any
) -> AsyncIterator[Terminal]:
    """A session on the target, or on this machine."""
    session = await sessions.open(owner, LocalTarget() if target is None else target, **options)
    yield Terminal(sessions, session)


def a_nap() -> str:
    """A time to sleep that no other process names, in this run of the tests or in another one at the same time."""
    return f"300.{randbelow(10**9):09d}"


def running_programs(word: str, name: str) -> list[psutil.Process]:
    """Those of them that run the program of that name by now, and not the shell that will start it."""
    found = []
    for process in running(word):
        with contextlib.suppress(psutil.Error):  # it may be gone again
            if process.name() == name:
                found.append(process)
    return found


def running(word: str) -> list[psutil.Process]:
    """The processes whose command line has that word, zombies not counted."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(word in part for part in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


async def until(condition: Callable[[], Any], seconds: float = 5) -> None:
    """Wait for something that nothing announces."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)


def eventually(condition: Callable[[], Any], seconds: float = 5) -> None:
    """The same, for tests that have no event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def open_descriptors() -> int:
    """How many this process has."""
    return psutil.Process().num_fds()
