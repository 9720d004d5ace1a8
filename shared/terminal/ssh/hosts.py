"""Opening SSH sessions: which addresses, which host keys, and by way of which jump host."""

from __future__ import annotations

import socket
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, get_args

from shared.domain.targets import HostKeyPolicy, SshLogin, SshTarget
from shared.terminal import addresses
from shared.terminal.channel import Channel, Executor, Seat
from shared.terminal.ssh.host_keys import HostKeyGuard, changed
from shared.terminal.ssh.known_hosts import KnownHosts
from shared.terminal.ssh.pending_logins import Ask, PendingLogins
from shared.terminal.ssh.private_keys import PrivateKeys

if TYPE_CHECKING:
    import asyncssh

    from shared.terminal.ssh.link import Connect


class SshHosts:
    """Opens SSH sessions. `agent_path` is the socket of the gateway's SSH agent, where it has one."""

    def __init__(
        self,
        known_hosts: Path,
        logins: PendingLogins,
        *,
        policy: HostKeyPolicy = "trust-first-use",
        timeout: float = 10,
        agent_path: str = "",
    ) -> None:
        self._known_hosts = KnownHosts(known_hosts)
        self._logins = logins
        self._policy: HostKeyPolicy = policy
        self._timeout = timeout
        self._agent_path = agent_path
        self._private_keys = PrivateKeys()

    async def open(self, target: SshTarget, seat: Seat, *, owner: str = "") -> Channel:
        """Connect, check each host's key and log in. The channel does the same when it has lost its connection.

        Raises Conflict (code_required) while a host wants a code of a person; then the owner's next attempt goes on.
        """
        from shared.terminal.ssh.channel import SshChannel

        connect = self._connecting(target, owner)
        return SshChannel(seat, target, await connect(), connect)

    async def executor(self, target: SshTarget, *, owner: str = "") -> Executor:
        """What runs commands on a host without a session. Connects as `open` does."""
        from shared.terminal.ssh.executor import SshExecutor

        connect = self._connecting(target, owner)
        return SshExecutor(token_hex(16), target, await connect(), connect)

    def _connecting(self, target: SshTarget, owner: str) -> Connect:
        """What makes the way to the host; the owner is asked for codes."""

        async def connect() -> list[asyncssh.SSHClientConnection]:
            return await self._logins.connected(owner, target, lambda ask: self._way(target, ask))

        return connect

    async def _way(self, target: SshTarget, ask: Ask) -> list[asyncssh.SSHClientConnection]:
        """The connections to a host, each through the one before."""
        policy = max(self._policy, target.known_hosts or self._policy, key=get_args(HostKeyPolicy).index)
        way: list[asyncssh.SSHClientConnection] = []
        try:
            for login in (*target.jumps, target.login):
                way.append(await self._connect(login, policy, ask, via=way[-1] if way else None))
        except BaseException:
            for connection in reversed(way):
                connection.abort()
            raise
        return way

    async def _connect(
        self, login: SshLogin, policy: HostKeyPolicy, ask: Ask, *, via: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Connect, check the host's key and log in. Raises as `open` does."""
        from shared.terminal.ssh.login import log_in, login_keys

        if via is not None:
            await addresses.check_beyond(login.host, login.port, refusal=addresses.reserved)
        guard = HostKeyGuard(login, await self._known_hosts.of(login.host, login.port), policy)
        connection: asyncssh.SSHClientConnection | None = None
        try:
            async with login_keys(login, self._agent_path, self._private_keys) as keys:
                reached = via or await self._reach(login)
                connection = await log_in(login, keys, guard, ask, via=reached, timeout=self._timeout)
            await self._remember(login, guard)
        except BaseException:
            if connection is not None:
                connection.abort()
            raise
        return connection

    async def _remember(self, login: SshLogin, guard: HostKeyGuard) -> None:
        if guard.new is not None:
            before = await self._known_hosts.remember(login.host, login.port, guard.new)
            if before.keys and guard.new not in before.keys:  # another session was first, and saw another key
                raise changed(login, before, guard.new)

    async def _reach(self, login: SshLogin) -> socket.socket:
        return await addresses.connect(login.host, login.port, timeout=self._timeout, refusal=addresses.reserved)
