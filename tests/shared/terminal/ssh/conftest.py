"""Fixtures for tests of SSH sessions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.terminal.sessions import Sessions
from tests.support.ssh_server import SshServer
from tests.support.terminals import Terminal, make_sessions, opened, ssh_target


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    """Sessions of a gateway that knows no hosts."""
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def terminal(sessions: Sessions, ssh_server: SshServer) -> AsyncIterator[Terminal]:
    """A session on the server."""
    async with opened(sessions, ssh_target(ssh_server)) as made:
        yield made
        await sessions.__aexit__()
