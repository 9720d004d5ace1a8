"""The way out of sandboxes that have no network of their own: a proxy that connects to the listed hosts and to no other.

It listens on the loopback of each sandbox and connects from outside. Reasons: docs/decisions/sandbox.md.
"""

import asyncio
import socket
from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from secrets import randbelow
from urllib.parse import urlsplit

from shared.domain.egress import AllowedHosts, address_of, host_of, port_of
from shared.errors import Forbidden, GatewayError, TerminalError
from shared.structured import get_logger
from shared.terminal.addresses import Address, forms_of, loopback, reserved
from shared.terminal.addresses import connect as connect_to

log = get_logger(__name__)

PROXY_PORT = 61080
"""In each sandbox; above the ports that systems give out by themselves."""

HEAD_BYTES, HEAD_SECONDS = 64 * 1024, 30.0
CONNECT_SECONDS = 15.0
READ_SIZE = 64 * 1024
MOST_CONNECTIONS, MOST_IN_ALL = 64, 192
"""Of one sandbox and of all at a time; each takes two descriptors of the gateway, of which systems give 1,024."""

MOST_REFUSALS = 50
"""Told of one command."""

SHOWN_REFUSALS = 5
NOTED_CHARACTERS = 2000
"""Of a command that was refused a connection."""

LOOKUPS = 2
SETTING = "The gateway's operator lists the hosts that commands may reach in TERMINAL_NETWORK."
DROPPED_FIELDS = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"host"})
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
NOT_PROXIED = "localhost,127.0.0.1,::1"


@dataclass(frozen=True, slots=True)
class RefusedConnection:
    """A connection that was refused: for the command of an owner, where that is known."""

    owner: str
    command: str | None
    host: str
    port: int
    message: str


Tell = Callable[[RefusedConnection], Coroutine[None, None, None]]


@dataclass(slots=True)
class Way:
    """The way out of one session. Its proxy has an address of its own, which tells whose a connection is."""

    owner: str
    address: str
    command: str | None = None
    refused: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs find the proxy."""
        proxy = f"http://{self.address}:{PROXY_PORT}"
        found = {form: proxy for name in PROXY_VARIABLES for form in (name, name.lower())}
        return {**found, "NO_PROXY": NOT_PROXIED, "no_proxy": NOT_PROXIED, "NODE_USE_ENV_PROXY": "1"}

    def begin(self, command: str) -> None:
        """Note that this command begins."""
        self.command = command[:NOTED_CHARACTERS]
        self.refused = {}

    def told(self) -> str | None:
        """What the result of a command says of connections that were refused to it."""
        if not self.refused:
            return None
        first, *others = self.refused
        sentences = [self.refused[first], SETTING]
        if others:
            more = f" and {len(others) - SHOWN_REFUSALS} more" if len(others) > SHOWN_REFUSALS else ""
            shown = ", ".join(_shown(*other) for other in others[:SHOWN_REFUSALS])
            sentences.insert(1, f"Nor was it let to {shown}{more}.")
        return " ".join(sentences)


class Egress:
    """Lets the commands of this gateway out to the listed hosts. `own_ports` are those where the gateway takes requests.

    `tell` is called once for each host that is refused to a command.
    """

    def __init__(
        self, hosts: AllowedHosts, *, own_ports: Container[int] = frozenset(), tell: Tell | None = None
    ) -> None:
        self._hosts = hosts
        self._own_ports = own_ports
        self._tell = tell
        self.doors = doors(hosts)
        self.connections = 0
        self._ways: dict[tuple[str, str], Way] = {}
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._telling: set[asyncio.Task[None]] = set()

    def way(self, owner: str) -> Way:
        """A way out for a session of this owner."""
        while (key := (owner, str(IPv4Address("127.1.0.0") + randbelow(1 << 23)))) in self._ways:
            continue
        self._ways[key] = Way(*key)
        return self._ways[key]

    def close_way(self, way: Way) -> None:
        """Forget it; what still runs in its session is let out, but not told apart any more."""
        self._ways.pop((way.owner, way.address), None)

    def outlet(self, owner: str) -> "Outlet":
        """What serves one sandbox of this owner."""
        return Outlet(self, owner)

    async def aclose(self) -> None:
        """Wait until all is told."""
        while self._telling:
            await asyncio.wait(self._telling)

    def way_at(self, owner: str, address: str) -> Way | None:
        """The way of the owner's session whose proxy has this address."""
        return self._ways.get((owner, address))

    async def connect(self, way: Way, host: str, port: int) -> socket.socket:
        """A socket that is connected to a listed host. Raises Forbidden, TerminalError."""
        try:
            refusal = self._refusal(host, port)
            return await connect_to(host, port, timeout=CONNECT_SECONDS, refusal=refusal, lookups=self._lookups)
        except Forbidden as error:
            self._refused(way, host, port, error.message)
            raise

    def _refusal(self, host: str, port: int) -> Callable[[Address], str | None]:
        """What judges each address of the host. Raises Forbidden for a host that no entry covers: it is not looked up."""
        address, listed = address_of(host), self._hosts.name(host, port)
        if listed is None and not (address is not None and self._hosts.address(address, port)):
            raise Forbidden(
                f"The gateway does not connect commands to {_shown(host, port)}: TERMINAL_NETWORK does not list it.",
                code="address_refused",
            )

        def refusal(found: Address) -> str | None:
            if port in self._own_ports and (reason := loopback(found)):
                return reason
            if reason := reserved(found) or (loopback(found) and "it is this machine's own loopback"):
                named = self._hosts.address(found, port, narrow=True) or (listed == "name" and host == "localhost")
                return None if named else f"{reason}, which TERMINAL_NETWORK has to list as such"
            if listed == "pattern" and not all(form.is_global for form in forms_of(found)):
                named = self._hosts.address(found, port)
                return None if named else "its address is private, so TERMINAL_NETWORK has to list its whole name"
            return None

        return refusal

    def _refused(self, way: Way, host: str, port: int, message: str) -> None:
        if (host, port) in way.refused or len(way.refused) >= MOST_REFUSALS:
            return
        way.refused[host, port] = message
        log.info("a command's connection was refused", owner=way.owner, host=host, port=port)
        if self._tell is not None:
            refused = RefusedConnection(way.owner, way.command, host, port, message)
            telling = asyncio.get_running_loop().create_task(self._tell(refused))
            self._telling.add(telling)
            telling.add_done_callback(self._told)

    def _told(self, telling: "asyncio.Task[None]") -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            log.warning("a refused connection could not be noted", reason=repr(error))


def doors(hosts: AllowedHosts) -> Mapping[int, str]:
    """The services on loopback that are listed, each with its host: they appear at the same ports in a sandbox."""
    return {port: host for host, port in hosts.on_loopback() if port != PROXY_PORT}


class Outlet:
    """The proxy of one sandbox, at the listeners that were opened in it."""

    def __init__(self, egress: Egress, owner: str) -> None:
        self._egress = egress
        self._owner = owner
        self._other = Way(owner, "")
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, listeners: Sequence[socket.socket]) -> None:
        """Serve at these, each known by its port."""
        for listener in listeners:
            self._servers.append(await asyncio.start_server(self._serve, sock=listener, limit=HEAD_BYTES))

    def close(self) -> None:
        """Stop serving, and end what is connected."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._egress.connections += 1
        try:
            if len(self._connections) <= MOST_CONNECTIONS and self._egress.connections <= MOST_IN_ALL:
                await self._let_out(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one of them has left, or asked for nothing that can be read
        finally:
            self._connections.discard(task)
            self._egress.connections -= 1
            writer.close()

    async def _let_out(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("sockname")[:2]
        way = self._egress.way_at(self._owner, address) or self._other
        if port != PROXY_PORT:
            with suppress(GatewayError):
                await self._join(way, self._egress.doors[port], port, reader, writer, before=None)
            return
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            asked = Asked.of(head)
        except ValueError as error:
            await _answer(writer, "400 Bad Request", f"The sandbox's proxy cannot read this: {error}")
            return
        try:
            await self._join(way, asked.host, asked.port, reader, writer, before=asked.onward)
        except Forbidden as error:
            await _answer(writer, "403 Forbidden", f"{error.message} {SETTING}")
        except TerminalError as error:
            await _answer(writer, "502 Bad Gateway", error.message)

    async def _join(
        self,
        way: Way,
        host: str,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        before: bytes | None,
    ) -> None:
        """Connect the client to the host: by a tunnel, or after sending what goes `before`. Raises Forbidden, TerminalError."""
        outer_reader, outer_writer = await asyncio.open_connection(sock=await self._egress.connect(way, host, port))
        try:
            if before:
                outer_writer.write(before)
            elif before is not None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, outer_writer), _copy(outer_reader, writer))
        finally:
            outer_writer.close()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client of the proxy asks for. `onward` is the head to send to the host; empty for a tunnel."""

    host: str
    port: int
    onward: bytes = b""

    @classmethod
    def of(cls, head: bytes) -> "Asked":
        """Read the head of a request (RFC 9112, section 3.2). Raises ValueError."""
        line, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, target, version = line.split(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise ValueError("it is not HTTP/1.1")
        if method == b"CONNECT":
            host, colon, port = target.decode("ascii").rpartition(":")
            if not colon:
                raise ValueError("CONNECT names no port")
            return cls(host_of(host), port_of(port))
        parts = urlsplit(target.decode("ascii"))
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("it is neither CONNECT nor a request for an http:// address")
        host, port_number = host_of(parts.hostname), parts.port or 80
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}".encode()
        at = _shown(host, port_number) if parts.port else _bracketed(host)
        kept = [name for name in fields if name.partition(b":")[0].strip().lower() not in DROPPED_FIELDS]
        lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: %s" % at.encode(), *kept, b"Connection: close", b"", b""]
        return cls(host, port_number, b"\r\n".join(lines))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All that one side sends, to the other; then its end."""
    try:
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


async def _answer(writer: asyncio.StreamWriter, status: str, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(host: str, port: int) -> str:
    return f"{_bracketed(host)}:{port}"
