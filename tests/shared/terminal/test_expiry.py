"""What keeps a session from expiring, and what is told of one that has expired."""

import asyncio
import re
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget, TelnetTarget
from shared.errors import NotFound
from shared.terminal.session import Session
from shared.terminal.sessions import Sessions
from tests.support.openssh_server import running_openssh
from tests.support.ssh_server import SshServer
from tests.support.telnet_device import running_telnet_device
from tests.support.terminals import a_nap, make_sessions, openssh_target, running, running_programs, ssh_target, until

pytestmark = pytest.mark.slow

LIMIT = 0.4


async def looks(sessions: Sessions, session: Session) -> int:
    """Wait until the watch has looked at the session three times for what runs in it; how often it looked."""
    looked = 0
    real = session.runs_jobs

    async def counted() -> bool:
        nonlocal looked
        found = await real()
        looked += 1
        return found

    session.runs_jobs = counted  # type: ignore[method-assign]
    await until(lambda: looked >= 3 or session.closed, 20)
    session.runs_jobs = real  # type: ignore[method-assign]
    return looked


async def expires(sessions: Sessions, session: Session) -> NotFound:
    """Wait for its end; what its owner is told then."""
    await until(lambda: session.closed, 20)
    with pytest.raises(NotFound) as gone:
        sessions.get("a", session.id)
    assert gone.value.code == "session_expired"
    return gone.value


@pytest.mark.parametrize(
    "typed",
    ["sleep {nap}\n", "sleep {nap} &\n", "(sleep {nap} &)\n"],
    ids=["in front", "in the background", "orphaned"],
)
async def test_a_job_of_the_shell_is_use(tmp_path: Path, typed: str) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", LocalTarget())
        await session.send(typed.format(nap=nap))
        await until(lambda: running_programs(nap, "sleep"))
        assert await looks(sessions, session) == 3
        running_programs(nap, "sleep")[0].kill()
        await expires(sessions, session)


async def test_what_a_command_has_left_running_is_use(tmp_path: Path) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", LocalTarget())
        await session.execute(sessions.command(f"nohup sleep {nap} >/dev/null 2>&1 &"))
        assert await looks(sessions, session) == 3
        running(nap)[0].kill()
        await expires(sessions, session)


async def test_daemons_of_a_shell_do_not_keep_it(tmp_path: Path) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", LocalTarget())
        await session.send(f"(setsid sleep {nap} &); stty -echo\n")
        await until(lambda: running_programs(nap, "sleep"))
        await expires(sessions, session)
        await until(lambda: not running(nap))


async def test_output_is_use(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions, running_telnet_device() as device:
        session = await sessions.open("a", TelnetTarget(host="127.0.0.1", port=device.port))
        other = await sessions.open("a", TelnetTarget(host="127.0.0.1", port=device.port))
        until_gone = asyncio.ensure_future(expires(sessions, other))
        while not until_gone.done():
            session._seat.scrollback.feed(b".")
            await asyncio.wait({until_gone}, timeout=LIMIT / 10)
        assert (await until_gone).details != ""
        assert not session.closed
        await expires(sessions, session)


@pytest.mark.parametrize("kind", ["local", "recorded"])
async def test_a_shell_that_waits_expires_and_its_owner_learns_when_and_why(tmp_path: Path, kind: str) -> None:
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", LocalTarget(), record=kind == "recorded")
        await session.start()
        await session.execute(sessions.command("true"))
        told = await expires(sessions, session)
        assert re.search(r"expired at 20\d\d-[^ ]+Z: .*TERMINAL_IDLE_TIMEOUT", told.message)
        assert isinstance(told.details, dict)
        assert told.details["idleSeconds"] == LIMIT
        with pytest.raises(NotFound) as other:
            sessions.get("b", session.id)
        assert other.value.code == "session_not_found"


@pytest.mark.parametrize("typed", ["sleep {nap}\n", "sleep {nap} &\n"], ids=["in front", "in the background"])
async def test_a_job_on_a_host_is_use(tmp_path: Path, typed: str) -> None:
    nap = a_nap()
    (tmp_path / "home").mkdir()
    with running_openssh(tmp_path / "sshd", tmp_path / "home") as server:
        async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
            session = await sessions.open("a", openssh_target(server))
            await session.send(typed.format(nap=nap))
            await until(lambda: running_programs(nap, "sleep"), 20)
            assert await looks(sessions, session) == 3
            running_programs(nap, "sleep")[0].kill()
            await expires(sessions, session)


async def test_what_a_command_has_left_running_on_a_host_is_use(tmp_path: Path, ssh_server: SshServer) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", ssh_target(ssh_server))
        await session.execute(sessions.command(f"nohup sleep {nap} >/dev/null 2>&1 &"))
        assert await looks(sessions, session) == 3
        running(nap)[0].kill()
        await expires(sessions, session)


async def test_a_waiting_shell_on_a_host_expires(tmp_path: Path, ssh_server: SshServer) -> None:
    async with make_sessions(tmp_path, idle_timeout=LIMIT) as sessions:
        session = await sessions.open("a", ssh_target(ssh_server))
        await session.start()
        await session.execute(sessions.command("true"))
        await expires(sessions, session)
