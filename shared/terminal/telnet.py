"""Telnet sessions: a connection whose text goes to the scrollback."""

import asyncio
import os
import socket
from collections.abc import Container, Mapping
from contextlib import suppress
from typing import cast

from shared.domain.signals import SignalName
from shared.domain.targets import TelnetInterrupt, TelnetTarget
from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, Unsupported
from shared.terminal import addresses
from shared.terminal.channel import Channel, Command, Inherited, Seat
from shared.terminal.telnet_negotiation import BREAK, INTERRUPT_PROCESS, MAX_REQUESTS, Negotiation
from shared.terminal.telnet_reports import Place, Queries, Query, answer

MAX_PENDING = 1024 * 1024
BYTES_A_TURN = 16 * 1024
"""Bytes of one host that are read in one turn of the event loop: a flood leaves the loop to others in between."""

MAX_QUERIES = 8
"""Questions of a host that wait for an answer; more at once are none of an honest host's."""
HUNG_UP = "The host has closed the connection; open another session."
CUT_OFF = f"The gateway has ended the connection, since the host asked for options more than {MAX_REQUESTS} times."
INTERRUPTS: Mapping[TelnetInterrupt, int | None] = {"character": None, "ip": INTERRUPT_PROCESS, "brk": BREAK}


class TelnetHosts:
    """Opens telnet sessions, to loopback and private addresses unless public ones are allowed.

    `own_ports` are those at which this gateway takes a connection from this machine, so from itself, for its user's.
    """

    def __init__(
        self, *, allow_public: bool = False, timeout: float = 10, own_ports: Container[int] = frozenset()
    ) -> None:
        self._refusal = addresses.reserved if allow_public else addresses.not_private
        self._timeout = timeout
        self._own_ports = own_ports

    async def open(self, target: TelnetTarget, seat: Seat) -> Channel:
        """Connect."""
        refusal = self._its_own if target.port in self._own_ports else self._refusal
        connected = await addresses.connect(target.host, target.port, timeout=self._timeout, refusal=refusal)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # the mark of a Synch comes as urgent data
        channel = TelnetChannel(seat, interrupt=INTERRUPTS[target.interrupt])
        try:
            await asyncio.get_running_loop().create_connection(lambda: channel, sock=connected)
        except BaseException:
            connected.close()
            raise
        return channel

    def _its_own(self, address: addresses.Address) -> str | None:
        return addresses.loopback(address) or self._refusal(address)


class TelnetChannel(asyncio.Protocol):
    """A telnet session."""

    def __init__(self, seat: Seat, *, interrupt: int | None = None) -> None:
        self._seat = seat
        self._negotiation = Negotiation(cols=seat.cols, rows=seat.rows, interrupt=interrupt)
        self._queries = Queries()
        self._asked: list[tuple[Query, int]] = []
        self._place = Place(seat)
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._why = HUNG_UP
        self._unread = b""
        self._busy = self._held = False
        self._reading = True

    @property
    def inherited(self) -> Inherited:
        """Nothing is known of a host that runs no commands."""
        return Inherited()

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

    def send(self, data: bytes) -> None:
        """Type."""
        transport = self._check()
        encoded = self._negotiation.encode(data)
        if transport.get_write_buffer_size() + len(encoded) > MAX_PENDING:
            raise TerminalError(
                "The host does not take what is typed; try again, or close the session.", code="input_not_read"
            )
        transport.write(encoded)

    async def signal(self, name: SignalName) -> None:
        """Telnet carries none."""
        raise Unsupported("Telnet carries no signals; send the key <C-c> instead, which devices take for an interrupt.")

    def resize(self) -> None:
        """Tell the host the new size, if it wants to know."""
        message = self._negotiation.resize(self._seat.cols, self._seat.rows)
        if message and self.connected:
            self._check().write(message)

    async def aclose(self) -> None:
        """Hang up."""
        self._unread = b""
        if self._transport is not None:
            self._transport.abort()
            await self._lost.wait()
        if self._answering is not None:
            await asyncio.wait({self._answering})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of this class
        self._seat.scrollback.flow.attach(self._hold)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._busy:
            self._turn()

    def _turn(self) -> None:
        """Take in one turn's bytes. After a full turn, read nothing more before the next one."""
        part, self._unread = self._unread[:BYTES_A_TURN], self._unread[BYTES_A_TURN:]
        self._take(part)
        self._busy = len(part) == BYTES_A_TURN
        if self._busy:
            asyncio.get_running_loop().call_soon(self._turn)
        elif self._lost.is_set():
            self._seat.scrollback.finish()
        self._set_reading()

    def _set_reading(self) -> None:
        wanted = not self._held and not self._busy
        if wanted != self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _take(self, data: bytes) -> None:
        text, reply = self._negotiation.receive(data)
        if self._transport is not None and reply and not self._transport.is_closing():
            self._transport.write(reply)
        self._show(text)
        if self._transport is not None and self._negotiation.requests > MAX_REQUESTS:
            self._unread, self._why = b"", CUT_OFF
            self._transport.abort()

    def _hold(self, held: bool) -> None:
        self._held = held
        self._set_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if exc is not None and self._why == HUNG_UP:
            self._why = f"The connection to the host was lost ({_cause(exc)}); open another session."
        self._seat.reason = self._why
        if not self._busy:
            self._seat.scrollback.finish()

    def _show(self, text: bytes) -> None:
        """Show it, and see to it that what it asks of a terminal is answered, unless a live terminal does so."""
        scrollback, at = self._seat.scrollback, 0
        for query, end in self._queries.find(text):
            scrollback.feed(text[at:end])
            at = end
            if not self._seat.followers and len(self._asked) < MAX_QUERIES:
                self._asked.append((query, scrollback.end))
        scrollback.feed(text[at:])
        if self._asked and (self._answering is None or self._answering.done()):
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        while self._asked and self.connected:
            query, position = self._asked.pop(0)
            cursor = await self._place.cursor(position)
            with suppress(TerminalError):  # it has gone, or reads nothing
                self.send(answer(query, cursor))

    def _check(self) -> asyncio.Transport:
        if self._transport is None or not self.connected:
            raise TerminalError(self._why, code="connection_lost")
        return self._transport


def _cause(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
