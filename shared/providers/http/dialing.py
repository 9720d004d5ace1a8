"""How connections are opened: names looked up, the quicker of IPv4 and IPv6, TLS, and proxies on the way."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import aiohappyeyeballs

from shared.providers.http.connection import Connection
from shared.providers.http.target import Origin, Target, target_of

HEAD_START = 0.25
NAMES_SECONDS = 60.0
MOST_NAMES = 256
MOST_PROXY_BYTES = 64 * 1024

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class NotReached(OSError):
    """Nobody answered there."""


class NotInTime(TimeoutError):
    """Nobody answered there in time."""


class Dialer:
    """Opens connections. With `use_proxy_environment` it goes by HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""

    def __init__(self, *, use_proxy_environment: bool) -> None:
        self._use_proxies = use_proxy_environment
        self._names: dict[tuple[str, int], tuple[float, list[AddressInfo]]] = {}
        self._trust: ssl.SSLContext | None = None

    async def dial(self, origin: Origin, connection: Connection) -> None:
        """Open a connection. Raises OSError (gaierror, SSLError, NotReached), ValueError for a proxy that is none."""
        proxy = self.proxy_for(origin)
        if proxy is None:
            await self._open(origin, lambda: connection)
        elif origin.scheme == "http":
            await self._open(proxy.origin, lambda: connection)
        else:
            await self._tunnel(origin, proxy, connection)

    def asked_through(self, target: Target) -> tuple[Target, dict[str, str]]:
        """How a request is worded: a proxy wants the whole address, and perhaps a name and password."""
        proxy = self.proxy_for(target.origin) if target.origin.scheme == "http" else None
        if proxy is None:
            return target, {}
        whole = target._replace(path=f"http://{target.origin.authority}{target.path}")
        return whole, {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}

    def proxy_for(self, origin: Origin) -> Target | None:
        """The proxy on the way, as the environment names it."""
        if not self._use_proxies:
            return None
        import urllib.request  # only where there are proxies

        url = urllib.request.getproxies().get(origin.scheme)
        if not url or urllib.request.proxy_bypass(f"{origin.host}:{origin.port}"):
            return None
        return target_of(url if "://" in url else f"http://{url}")

    async def _open(self, origin: Origin, protocol: Callable[[], asyncio.Protocol]) -> tuple[Any, Any]:
        loop = asyncio.get_running_loop()
        addresses = await self._addresses(origin.host, origin.port)
        try:
            found = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=HEAD_START, loop=loop)
        except (OSError, RuntimeError) as error:  # uvloop has its own for addresses of a family that is not there
            self._names.pop((origin.host, origin.port), None)
            raise NotReached(getattr(error, "errno", None), str(error)) from error
        try:
            if origin.scheme == "http":
                return await loop.create_connection(protocol, sock=found)
            trust = await self._trusted()
            return await loop.create_connection(protocol, sock=found, ssl=trust, server_hostname=origin.host)
        except BaseException:
            found.close()
            raise

    async def _tunnel(self, origin: Origin, proxy: Target, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        transport, tunnel = await self._open(proxy.origin, lambda: _Tunnel(loop))
        try:
            await cast("_Tunnel", tunnel).through(origin, proxy.authorization)
            secured = await loop.start_tls(transport, connection, await self._trusted(), server_hostname=origin.host)
        except BaseException:
            transport.abort()
            raise
        connection.attach(cast("asyncio.Transport", secured))

    async def _addresses(self, host: str, port: int) -> list[AddressInfo]:
        loop = asyncio.get_running_loop()
        known = self._names.get((host, port))
        if known is not None and known[0] > loop.time():
            return known[1]
        found = cast("list[AddressInfo]", await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        self._names[host, port] = (loop.time() + NAMES_SECONDS, found)
        return found

    async def _trusted(self) -> ssl.SSLContext:
        """Reading all certificates takes a while."""
        if self._trust is None:
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        return self._trust


class _Tunnel(asyncio.Protocol):
    """Asks a proxy to connect us with somebody (RFC 9110, 9.3.6)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answer = loop.create_future()
        self._head = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._answer.done() and (b"\r\n\r\n" in self._head or len(self._head) > MOST_PROXY_BYTES):
            self._answer.set_result(bytes(self._head))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_result(b"")

    async def through(self, origin: Origin, authorization: str) -> None:
        """Raises NotReached when the proxy does not do it."""
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        place = f"{host}:{origin.port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if authorization:
            lines.append(f"Proxy-Authorization: {authorization}")
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head: bytes = await self._answer
        status = head[:64].split(b" ")[1:2]
        if status != [b"200"] or not head.endswith(b"\r\n\r\n"):
            raise NotReached("the proxy does not connect us: " + head[:200].decode("latin-1").split("\r\n")[0])
