"""The login shell of an SSH session, on a terminal of the host."""

from typing import Any

import asyncssh

from shared.domain.signals import SignalName
from shared.errors import TerminalError
from shared.terminal.channel import Seat
from shared.terminal.environment import INTERACTIVE
from shared.terminal.marker import MARKER
from shared.terminal.mask import Mask, MaskedOutput
from shared.terminal.ssh.command_run import number_of
from shared.terminal.ssh.link import lost

MAX_PENDING_INPUT = 1024 * 1024


class LoginShell(asyncssh.SSHClientSession[bytes]):
    """What it shows goes to the scrollback, without the secrets that were typed into this one or those before it.

    `before` is shown ahead of all that.
    """

    def __init__(self, seat: Seat, mask: Mask, *, before: bytes = b"") -> None:
        self._seat = seat
        self._before = before
        self._output = MaskedOutput(mask, seat.scrollback.feed)
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    def options(self) -> dict[str, Any]:
        """How its channel is to be opened."""
        return {
            "term_type": INTERACTIVE["TERM"],
            "term_size": (self._seat.cols, self._seat.rows),
            "env": {MARKER: f"{self._seat.marker}:shell"},
        }

    def send(self, data: bytes) -> None:
        """Type. Raises TerminalError."""
        channel = self._channel
        if channel is None or channel.is_closing():
            raise lost()
        if channel.get_write_buffer_size() + len(data) > MAX_PENDING_INPUT:
            raise TerminalError(
                "The program in this session does not read its input; interrupt it with the signal INT "
                "(a key would wait behind what is typed already), or close the session.",
                code="input_not_read",
            )
        channel.write(data)

    def answer(self, secret: str) -> None:
        """Type a secret and Enter; it is not shown, though the other side may echo it. Raises TerminalError."""
        typed = secret.encode(self._seat.scrollback.encoding, "replace")
        self._output.hide(typed)
        self.send(typed + b"\r")

    def resize(self) -> None:
        """Tell it its new size."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.change_terminal_size(self._seat.cols, self._seat.rows)

    def signal(self, name: SignalName) -> None:
        """Have the other side send a signal. Raises TerminalError."""
        if self._channel is None or self._channel.is_closing():
            raise lost()
        self._channel.send_signal(name)

    def hang_up(self) -> None:
        """End it, with what runs in front."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.send_signal("HUP")
            self._channel.close()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        self._seat.scrollback.feed(self._before)
        self._seat.scrollback.flow.attach(lambda held: (chan.pause_reading if held else chan.resume_reading)())

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._output.feed(data)

    def exit_status_received(self, status: int) -> None:
        self._seat.exit_code = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._seat.exit_code = 128 + number_of(f"SIG{signal}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._output.finish()
        self._seat.scrollback.finish()
