"""Commands without a session: what is left of them, their limits, and how they end early."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget, TelnetTarget
from shared.errors import GatewayError, TerminalError, Unsupported
from shared.terminal.sessions import Sessions
from tests.support.children import children
from tests.support.ssh_server import running_ssh_server
from tests.support.telnet_device import running_telnet_device
from tests.support.terminals import a_nap, make_sessions, open_descriptors, running, ssh_target, until

LOCAL = LocalTarget()


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, sessions=6, sessions_per_caller=4) as made:
        yield made


async def test_one_off_commands_leave_nothing(sessions: Sessions) -> None:
    nap = a_nap()
    await sessions.execs.run("a", LOCAL, sessions.command("true"))  # from here on there is a keeper
    before = open_descriptors(), children()
    command = sessions.command(f"setsid sleep {nap} & env -i sleep {nap} & echo begun")
    assert (await sessions.execs.run("a", LOCAL, command)).stdout == "begun\n"
    assert not running(nap)
    assert len(sessions) == 0
    await until(lambda: (open_descriptors(), children()) == before)


async def test_a_cancelled_one_off_command_leaves_nothing(sessions: Sessions) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(sessions.execs.run("a", LOCAL, sessions.command(f"setsid sleep {nap} & sleep {nap}")))
    await until(lambda: len(running(nap)) >= 2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not running(nap)
    assert not sessions.execs._slots._taken


async def test_one_off_commands_have_limits_of_their_own(sessions: Sessions) -> None:
    for _ in range(4):
        await sessions.open("a", LOCAL)
    command = sessions.command("sleep 0.3; echo ran")
    ended = await asyncio.gather(*(sessions.execs.run("a", LOCAL, command) for _ in range(6)), return_exceptions=True)
    refused = [answer for answer in ended if isinstance(answer, GatewayError)]
    assert [answer.code for answer in refused] == ["too_many_commands"] * 2
    assert sum(not isinstance(answer, BaseException) for answer in ended) == 4


async def test_a_command_whose_caller_is_gone_is_ended(sessions: Sessions) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(sessions.execs.run("a", LOCAL, sessions.command(f"setsid sleep {nap} & sleep {nap}")))
    await until(lambda: len(running(nap)) >= 2)
    sessions.end_of(lambda owner: owner == "b")
    assert sessions.running == 1
    sessions.end_of(lambda owner: owner == "a")
    with pytest.raises(TerminalError) as ended:
        await work
    assert ended.value.code == "session_closed"
    assert not running(nap)
    assert sessions.running == 0


async def test_over_ssh_no_shell_is_begun_but_that_of_the_command(tmp_path: Path) -> None:
    async with make_sessions(tmp_path) as sessions, running_ssh_server(tmp_path) as server:
        result = await sessions.execs.run("a", ssh_target(server), sessions.command("echo $((1 + 1))"))
        assert result.stdout == "2\n"
        await until(lambda: not server.open_shells)
        reaper = [line for line in server.commands if "kill" in line]
        assert len(server.shells) == len(reaper) + 1


async def test_a_telnet_device_is_not_even_called_for_a_command(sessions: Sessions) -> None:
    async with running_telnet_device() as device:
        target = TelnetTarget(host="127.0.0.1", port=device.port)
        with pytest.raises(Unsupported, match="telnet has no exit codes"):
            await sessions.execs.run("a", target, sessions.command("true"))
        assert not device.writers
