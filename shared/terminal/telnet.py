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
from shared.terminal.mask import Mask, MaskedOutput
from shared.terminal.telnet_login import TelnetLogin
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

    Connecting and logging in take `timeout` seconds each at most.
    `own_ports` are those at which this gateway takes a connection from this machine, so from itself, for its user's.
    """

    def __init__(
        self, *, allow_public: bool = False, timeout: float = 10, own_ports: Container[int] = frozenset()
    ) -> None:
        self._refusal = addresses.reserved if allow_public else addresses.not_private
        self._timeout = timeout
        self._own_ports = own_ports

    async def open(self, target: TelnetTarget, seat: Seat) -> Channel:
        """Connect, and log in with the target's credentials. Without a login prompt in time nothing is typed."""
        refusal = self._its_own if target.port in self._own_ports else self._refusal
        connected = await addresses.connect(target.host, target.port, timeout=self._timeout, refusal=refusal)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)  # the mark of a Synch comes as urgent data
        login = TelnetLogin(target)
        channel = TelnetChannel(seat, interrupt=INTERRUPTS[target.interrupt], login=login)
        try:
            await asyncio.get_running_loop().create_connection(lambda: channel, sock=connected)
        except BaseException:
            connected.close()
            raise
        try:
            await channel.logged_in(self._timeout)
            if login.outcome == "refused" or (login.outcome == "waiting" and not channel.connected):
                raise _not_logged_in(target, login, channel.why)
            seat.login = login.standing
        except BaseException:
            await channel.aclose()
            raise
        return channel

    def _its_own(self, address: addresses.Address) -> str | None:
        return addresses.loopback(address) or self._refusal(address)


class TelnetChannel(asyncio.Protocol):
    """A telnet session. Until the `login` is over, its prompts are answered here."""

    def __init__(self, seat: Seat, *, interrupt: int | None = None, login: TelnetLogin | None = None) -> None:
        self._seat = seat
        self._login = login if login is not None and login.outcome == "waiting" else None
        self._login_over = asyncio.Event()
        self._output = MaskedOutput(Mask(), self._show)
        self._negotiation = Negotiation(cols=seat.cols, rows=seat.rows, interrupt=interrupt)
        self._queries = Queries()
        self._asked: list[tuple[Query, int]] = []
        self._place = Place(seat)
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self.why = HUNG_UP
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

    async def logged_in(self, timeout: float) -> None:
        """Wait until the login is over, the connection is lost or the time has passed; nothing is typed after that."""
        if self._login is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._login_over.wait(), timeout)
            self._login = None

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Telnet carries a dialogue, in which a command has no end and no exit code."""
        raise no_commands()

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

    def answer(self, secret: str) -> None:
        """Type a secret and Enter; it is not shown, though the host may echo it. Raises TerminalError."""
        typed = secret.encode(self._seat.scrollback.encoding, "replace")
        self._output.hide(typed)
        self.send(typed + b"\r")

    async def runs_jobs(self) -> bool:
        """False: a device does not tell."""
        return False

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
            self._finish()
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
        self._output.feed(text)
        self._log_in(text)
        if self._transport is not None and self._negotiation.requests > MAX_REQUESTS:
            self._unread, self.why = b"", CUT_OFF
            self._transport.abort()

    def _hold(self, held: bool) -> None:
        self._held = held
        self._set_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if exc is not None and self.why == HUNG_UP:
            self.why = f"The connection to the host was lost ({_cause(exc)}); open another session."
        self._seat.reason = self.why
        if not self._busy:
            self._finish()

    def _finish(self) -> None:
        self._output.finish()
        self._seat.scrollback.finish()
        self._login_over.set()

    def _log_in(self, text: bytes) -> None:
        login = self._login
        if login is None or self._lost.is_set():
            return
        typed = login.take(text)
        if typed is not None and login.password_typed:
            self.answer(typed)
        elif typed is not None:
            self.send(typed.encode(self._seat.scrollback.encoding, "replace") + b"\r")
        if login.outcome != "waiting":
            self._login_over.set()

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
            raise TerminalError(self.why, code="connection_lost")
        return self._transport


def _not_logged_in(target: TelnetTarget, login: TelnetLogin, why: str) -> TerminalError:
    if not login.password_typed:
        return TerminalError(why, code="connection_lost")
    whose = f" of {target.username}" if target.username else ""
    return TerminalError(
        f"{target.host}:{target.port} refused the login{whose}; check 'username' or 'password'.",
        code="authentication_failed",
    )


def _cause(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__


def no_commands() -> Unsupported:
    """The refusal of a command on a telnet target."""
    return Unsupported(
        "A telnet session cannot run a command to its end, since telnet has no exit codes; type it with "
        "POST /v1/terminal/{id}/send (send_to_terminal) and read the answer with /output (read_terminal)."
    )
