"""SSH sessions by way of a jump host; on asyncio only, since asyncssh's own forwarding server loses bytes on uvloop."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.domain.targets import SshLogin
from shared.errors import Forbidden, HostKeyChanged, TerminalError
from shared.terminal.sessions import Sessions
from tests.support.openssh_server import running_openssh
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.terminals import make_sessions, open_descriptors, opened, openssh_target, ssh_target, until


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


async def test_a_jump_host_is_gone_through(sessions: Sessions, ssh_server: SshServer, tmp_path: Path) -> None:
    jump_home = tmp_path / "jump"
    jump_home.mkdir()
    async with running_ssh_server(jump_home) as jump:
        login = SshLogin(host="127.0.0.1", port=jump.port, username=USER, password=SecretStr(PASSWORD))
        async with opened(sessions, ssh_target(ssh_server, jumps=(login,))) as terminal:
            assert (await terminal.run("pwd")).stdout == f"{ssh_server.home}\n"
            assert (jump.logins, ssh_server.logins) == (1, 1)
            await terminal.close()
        await until(lambda: jump.connections[0].is_closed())


async def test_a_jump_host_whose_target_does_not_answer_is_left_again(
    sessions: Sessions, ssh_server: SshServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    jump = SshLogin(host="127.0.0.1", port=ssh_server.port, username=USER, password=SecretStr(PASSWORD))
    before = open_descriptors()
    with pytest.raises(TerminalError, match="jump host cannot reach"):
        await sessions.open("a", ssh_target(ssh_server, port=port, jumps=(jump,)))
    with pytest.raises(Forbidden):
        await sessions.open("a", ssh_target(ssh_server, host="169.254.169.254", jumps=(jump,)))
    await until(lambda: open_descriptors() <= before)
    await until(lambda: all(connection.is_closed() for connection in ssh_server.connections))


async def test_a_chain_checks_each_host_and_logs_in_to_each_with_its_own(
    sessions: Sessions, ssh_server: SshServer, tmp_path: Path
) -> None:
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    async with running_ssh_server(homes[0]) as first, running_ssh_server(homes[1]) as second:
        way = tuple(login_of(server) for server in (first, second))
        async with opened(sessions, ssh_target(ssh_server, jumps=way)) as terminal:
            assert (await terminal.run("pwd")).stdout == f"{ssh_server.home}\n"
            assert [server.logins for server in (first, second, ssh_server)] == [1, 1, 1]
            assert len((tmp_path / "known_hosts").read_text().splitlines()) == 3
            await terminal.close()
        for server in (first, second, ssh_server):
            await until(server.connections[0].is_closed)


async def test_a_changed_key_of_a_jump_host_is_refused_before_anything_goes_through(
    sessions: Sessions, ssh_server: SshServer, tmp_path: Path
) -> None:
    async with (
        running_ssh_server(tmp_path) as jump,
        opened(sessions, ssh_target(ssh_server, jumps=(login_of(jump),))) as terminal,
    ):
        await terminal.close()
    async with running_ssh_server(tmp_path, port=jump.port) as impostor:
        with pytest.raises(HostKeyChanged) as changed:
            await sessions.open("a", ssh_target(ssh_server, jumps=(login_of(impostor),)))
        assert isinstance(changed.value.details, dict)
        assert changed.value.details["port"] == jump.port
        assert impostor.logins == 0
    assert ssh_server.logins == 1


async def test_a_lost_jump_host_is_gone_through_again(
    sessions: Sessions, ssh_server: SshServer, tmp_path: Path
) -> None:
    async with (
        running_ssh_server(tmp_path) as jump,
        opened(sessions, ssh_target(ssh_server, jumps=(login_of(jump),))) as terminal,
    ):
        await terminal.run("cd /usr")
        jump.connections[0].abort()
        await until(lambda: not terminal.session.connected)
        again = await terminal.run("pwd")
        assert again.stdout == "/usr\n"
        assert again.notice is not None
        assert jump.logins == 2
        await terminal.close()


async def test_openssh_is_reached_through_another_server_and_the_other_way_round(
    sessions: Sessions, ssh_server: SshServer, tmp_path: Path
) -> None:
    with running_openssh(tmp_path / "sshd", tmp_path) as openssh:
        other = openssh_target(openssh, cwd=str(tmp_path), jumps=(login_of(ssh_server),))
        async with opened(sessions, other) as terminal:
            assert (await terminal.run("pwd")).stdout == f"{tmp_path}\n"
            await terminal.close()
        async with opened(sessions, ssh_target(ssh_server, jumps=(other.login,))) as terminal:
            assert (await terminal.run("pwd")).stdout == f"{ssh_server.home}\n"
            await terminal.close()


def login_of(server: SshServer) -> SshLogin:
    return SshLogin(host="127.0.0.1", port=server.port, username=USER, password=SecretStr(PASSWORD))
