"""A whole gateway behind both of its doors, and hosts of every kind that it can open terminals on."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_api.app import App, create_app
from shared.domain.identity import LOCAL
from shared.gateway import open_gateway
from shared.operations import dispatch
from shared.operations.connections import CREATE_CONNECTION
from tests.support.databases import prepare
from tests.support.doors import Door, McpDoor, RestDoor
from tests.support.http_server import serving
from tests.support.mcp_stack import client_of, settings_for
from tests.support.openssh_server import running_openssh
from tests.support.ssh_server import PASSWORD, USER, running_ssh_server
from tests.support.telnet_server import running_telnetd, telnetd
from tests.support.telnet_shell import running_telnet_shell


@dataclass
class Stand:
    """The doors by name, and what to open: the fields of a target, or the name of a saved connection."""

    doors: Mapping[str, Door]
    home: Path
    _gateway: Any
    _hosts: AsyncExitStack
    _places: dict[str, dict[str, Any]] = field(default_factory=lambda: {"local": {"type": "local"}})

    async def place(self, kind: str) -> dict[str, Any]:
        """How to open a session of that kind; its host is started when it is first asked for."""
        if kind not in self._places:
            starts = {"ssh": self._ssh, "openssh": self._openssh, "telnet": self._telnet, "telnetd": self._telnetd}
            self._places[kind] = await starts[kind]()
        return self._places[kind]

    async def _ssh(self) -> dict[str, Any]:
        server = await self._hosts.enter_async_context(running_ssh_server(self.home))
        return await self._saved("ssh", port=server.port, username=USER, password=PASSWORD)

    async def _openssh(self) -> dict[str, Any]:
        server = self._hosts.enter_context(running_openssh(self.home / "sshd", self.home))
        key = server.private_key.get_secret_value()
        return await self._saved("openssh", port=server.port, username=server.username, privateKey=key)

    async def _saved(self, name: str, **login: Any) -> dict[str, Any]:
        saved = {"name": name, "type": "ssh", "host": "127.0.0.1", **login}
        await dispatch.call(self._gateway, LOCAL, CREATE_CONNECTION, saved)
        return {"connection": name}

    async def _telnet(self) -> dict[str, Any]:
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        shell = await self._hosts.enter_async_context(running_telnet_shell(env))
        return {"type": "telnet", "host": "127.0.0.1", "port": shell.port}

    async def _telnetd(self) -> dict[str, Any]:
        if (program := telnetd()) is None:
            pytest.skip("there is no telnetd of inetutils (Debian: inetutils-telnetd) to test against")
        port = await self._hosts.enter_async_context(running_telnetd(program, self.home))
        return {"type": "telnet", "host": "127.0.0.1", "port": port}


@asynccontextmanager
async def standing(folder: Path, **settings: Any) -> AsyncIterator[Stand]:
    """The gateway over real HTTP and for the SDK's client; it and the hosts are gone when the block ends."""
    home = folder / "home"
    home.mkdir()
    options = settings_for(folder / "data", rate_limit_per_minute=0, rate_limit_per_hour=0, **settings)
    app = create_app(lambda: open_gateway(prepare(options)))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOME", str(home))  # what the user's own shell does at its start is not ours to test
        async with _opened(app, home) as made:
            yield made


@asynccontextmanager
async def _opened(app: App, home: Path) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as hosts, AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(app.opened())
        running = await stack.enter_async_context(serving(app, on_stopping=app.stop))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=running.url, timeout=60, trust_env=False))
        model = await stack.enter_async_context(client_of(gateway))
        yield Stand({"rest": RestDoor(http), "mcp": McpDoor(model)}, home, gateway, hosts)
