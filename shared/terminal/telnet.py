"""Telnet sessions: a connection whose text goes to the scrollback."""

import asyncio
from typing import cast

from shared.domain.targets import TelnetTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, Unsupported
from shared.terminal import addresses
from shared.terminal.channel import Channel, Command, Seat
from shared.terminal.telnet_negotiation import MAX_REQUESTS, Negotiation

MAX_PENDING = 1024 * 1024


class TelnetHosts:
    """Opens telnet sessions, to loopback and private addresses unless public ones are allowed."""

    def __init__(self, *, allow_public: bool = False, timeout: float = 10) -> None:
        self._refusal = addresses.reserved if allow_public else addresses.not_private
        self._timeout = timeout

    async def open(self, target: TelnetTarget, seat: Seat) -> Channel:
        """Connect."""
        connected = await addresses.connect(target.host, target.port, timeout=self._timeout, refusal=self._refusal)
        channel = TelnetChannel(seat)
        try:
            await asyncio.get_running_loop().create_connection(lambda: channel, sock=connected)
        except BaseException:
            connected.close()
            raise
        return channel


class TelnetChannel(asyncio.Protocol):
    """A telnet session."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._negotiation = Negotiation(cols=seat.cols, rows=seat.rows)
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return not self._lost.is_set()

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Telnet carries a dialogue, in which a command has no end and no exit code."""
        raise Unsupported(
            "A telnet session cannot run a command to its end, since telnet has no exit codes; type it with "
            "POST /v1/terminal/{id}/send (send_to_terminal) and read the answer with /output (read_terminal)."
        )

    async def start(self) -> None:
        """The connection is the shell."""
        self._check()

    def send(self, data: str) -> None:
        """Type."""
        transport = self._check()
        encoded = self._negotiation.encode(data.encode())
        if transport.get_write_buffer_size() + len(encoded) > MAX_PENDING:
            raise TerminalError(
                "The host does not take what is typed; try again, or close the session.", code="input_not_read"
            )
        transport.write(encoded)

    def resize(self) -> None:
        """Tell the host the new size, if it wants to know."""
        message = self._negotiation.resize(self._seat.cols, self._seat.rows)
        if message and self.connected:
            self._check().write(message)

    async def aclose(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of this class

    def data_received(self, data: bytes) -> None:
        text, reply = self._negotiation.receive(data)
        self._seat.scrollback.feed(text)
        if self._transport is not None and reply:
            self._transport.write(reply)
        if self._transport is not None and self._negotiation.requests > MAX_REQUESTS:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._seat.scrollback.finish()

    def _check(self) -> asyncio.Transport:
        if self._transport is None or not self.connected:
            raise TerminalError("The host has closed the connection; open another session.", code="connection_lost")
        return self._transport
