"""SSH sessions by way of a jump host; on asyncio only, since asyncssh's own forwarding server loses bytes on uvloop."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.domain.targets import SshLogin
from shared.errors import Forbidden, TerminalError
from shared.terminal.sessions import Sessions
from tests.support.ssh_server import PASSWORD, USER, SshServer, running_ssh_server
from tests.support.terminals import make_sessions, open_descriptors, opened, ssh_target, until


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


async def test_a_jump_host_is_gone_through(sessions: Sessions, ssh_server: SshServer, tmp_path: Path) -> None:
    jump_home = tmp_path / "jump"
    jump_home.mkdir()
    async with running_ssh_server(jump_home) as jump:
        login = SshLogin(host="127.0.0.1", port=jump.port, username=USER, password=SecretStr(PASSWORD))
        async with opened(sessions, ssh_target(ssh_server, jump=login)) as terminal:
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
        await sessions.open("a", ssh_target(ssh_server, port=port, jump=jump))
    with pytest.raises(Forbidden):
        await sessions.open("a", ssh_target(ssh_server, host="169.254.169.254", jump=jump))
    await until(lambda: open_descriptors() <= before)
    await until(lambda: all(connection.is_closed() for connection in ssh_server.connections))
