"""Fixtures for terminal tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from tests.support.ssh_server import SshServer, running_ssh_server


@pytest.fixture(scope="session")
def host_key() -> asyncssh.SSHKey:
    """One key for all servers, since making one takes time."""
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
async def ssh_server(tmp_path: Path, host_key: asyncssh.SSHKey) -> AsyncIterator[SshServer]:
    """An SSH server with a home of its own."""
    home = tmp_path / "remote-home"
    home.mkdir()
    async with running_ssh_server(home, host_keys=[host_key]) as server:
        yield server
