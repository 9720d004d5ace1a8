"""Whether a gateway of ours is at the other end of a connection on this machine: known before anything is sent there."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx2

from shared.security.local_peers import LocalPeers
from shared.security.socket_tables import Address, is_own_address, peer_of

USER = "MCP_GATEWAY_USER"
"""Names the user that the gateway runs as, where that is another one than ours."""
ROOT = 0
ACCEPT_SECONDS = 2.0
ACCEPT_STEP = 0.01
CONNECTED = "connection.connect_tcp.complete"


class Untrusted(httpx2.ConnectError):
    """Somebody else listens there; nothing was sent."""


def checks(base: str, *, has_key: bool) -> dict[str, Any]:
    """What each request to this address carries (httpx's extensions), so that its connection is looked at first.

    Empty but for unencrypted connections on this machine: elsewhere, TLS says who answers. Raises ValueError when
    MCP_GATEWAY_USER names no user.
    """
    if sys.platform != "linux" or not _is_here_unencrypted(base):
        return {}
    return {"trace": Trust(base, has_key=has_key).look}


class Trust:
    """Refuses connections to another user's listener, or to a command's. The kernel tells who has accepted one."""

    def __init__(self, base: str, *, has_key: bool) -> None:
        self._base = base
        self._has_key = has_key
        self._peers = LocalPeers()
        self._users = {ROOT, os.getuid(), *_named_user()}

    async def look(self, event: str, info: dict[str, Any]) -> None:
        """Raises Untrusted when a connection was made that is not to be used."""
        if event != CONNECTED:
            return
        stream = info["return_value"]
        try:
            fault = await self._fault(stream.get_extra_info("server_addr"), stream.get_extra_info("client_addr"))
        except BaseException:
            await stream.aclose()
            raise
        if fault:
            await stream.aclose()
            raise Untrusted(f"{fault} Nothing was sent there.")

    async def _fault(self, theirs: Address, ours: Address) -> str:
        """Why the other end is not to be trusted; empty when it is."""
        until = asyncio.get_running_loop().time() + ACCEPT_SECONDS
        peer = peer_of(theirs, ours)
        while peer is None or not peer.inode:  # before it is accepted, the connection is nobody's
            if peer is None and not self._peers.works():
                return self._untold()
            if asyncio.get_running_loop().time() > until:
                return f"What listens at {self._base} does not take the connection, so that its user is not known."
            await asyncio.sleep(ACCEPT_STEP)
            peer = peer_of(theirs, ours)
        if peer.uid not in self._users:
            return (
                f"What listens at {self._base} belongs to another user of this machine (uid {peer.uid}). If the gateway is "
                f"meant to run as that user, name the user in {USER}."
            )
        if await asyncio.to_thread(self._peers.is_seen_at_command, peer):
            return f"What listens at {self._base} is a command that a gateway runs."
        return ""

    def _untold(self) -> str:
        if not self._has_key:
            return ""
        return f"This system does not tell whose the listener at {self._base} is, so the key is kept back; use https."


def _named_user() -> set[int]:
    name = os.environ.get(USER, "").strip()
    if not name:
        return set()
    if name.isdecimal():
        return {int(name)}
    import pwd

    try:
        return {pwd.getpwnam(name).pw_uid}
    except KeyError:
        raise ValueError(f"{USER} names no user of this machine: {name}.") from None


def _is_here_unencrypted(base: str) -> bool:
    parts = urlsplit(base)
    host = parts.hostname or ""
    return parts.scheme == "http" and (host == "localhost" or host.endswith(".localhost") or is_own_address(host))
