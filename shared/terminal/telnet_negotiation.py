"""The telnet protocol (RFC 854, 855, 856, 857, 858, 1073, 1091) without I/O: bytes in, text and replies out."""

import re

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, ECHO, SUPPRESS_GO_AHEAD, TERMINAL_TYPE, WINDOW_SIZE = 0, 1, 3, 24, 31
INTERRUPT_PROCESS, BREAK = 244, 243
IS, SEND = 0, 1
CR, LF, NUL, ETX = 13, 10, 0, 3

OURS = frozenset({BINARY, SUPPRESS_GO_AHEAD, TERMINAL_TYPE, WINDOW_SIZE})
"""What we agree to do when asked."""
THEIRS = frozenset({BINARY, ECHO, SUPPRESS_GO_AHEAD})
"""What we let the other side do."""

MAX_SUBNEGOTIATION = 1024
MAX_REQUESTS = 1000
"""More than any honest host makes in the life of a connection."""

_PLAIN = re.compile(rb"[^\xff\r]+")
"""A run of bytes that mean themselves."""

_REQUESTS = frozenset({DO, DONT, WILL, WONT})


class Negotiation:
    """One side of one telnet connection, the client's. Answers only to changes, so that it cannot loop.

    `interrupt` is the telnet command that Ctrl-C becomes, for hosts that want one (RFC 854: IP, BRK).
    """

    def __init__(
        self, *, cols: int, rows: int, terminal_type: str = "xterm-256color", interrupt: int | None = None
    ) -> None:
        self.ours: set[int] = set()
        self.theirs: set[int] = set()
        self.requests = 0
        self._cols = cols
        self._rows = rows
        self._terminal_type = terminal_type.encode("ascii")
        self._interrupt = interrupt
        self._command: int | None = None
        self._after_iac = False
        self._after_cr = False
        self._subnegotiation: bytearray | None = None

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """The text in what came, and what to send in reply."""
        text, reply = bytearray(), bytearray()
        at = 0
        while at < len(data):
            if self._in_text and (plain := _PLAIN.match(data, at)):
                text += plain.group()
                at = plain.end()
            else:
                self._take(data[at], text, reply)
                at += 1
        return bytes(text), bytes(reply)

    def encode(self, data: bytes) -> bytes:
        """Typed text as it goes over the wire: Enter, as CR or LF, becomes what a telnet server takes for it."""
        data = data.replace(b"\xff", b"\xff\xff")
        if BINARY not in self.ours:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
        if self._interrupt is not None:
            data = data.replace(bytes((ETX,)), bytes((IAC, self._interrupt)))
        return data

    def resize(self, cols: int, rows: int) -> bytes:
        """What to send when the size has changed; nothing where the other side does not want to know."""
        self._cols, self._rows = cols, rows
        return self._window_size() if WINDOW_SIZE in self.ours else b""

    @property
    def _in_text(self) -> bool:
        return not self._after_iac and not self._after_cr and self._command is None and self._subnegotiation is None

    def _take(self, byte: int, text: bytearray, reply: bytearray) -> None:
        if self._command is not None:
            self._negotiate(self._command, byte, reply)
            self._command = None
        elif self._after_iac:
            self._after_iac = False
            self._after_escape(byte, text, reply)
        elif byte == IAC:
            self._after_iac = True
        elif self._subnegotiation is not None:
            self._collect(byte)
        elif self._after_cr and byte == NUL and BINARY not in self.theirs:
            self._after_cr = False  # CR NUL is a bare carriage return
        else:
            self._after_cr = byte == CR
            text.append(byte)

    def _after_escape(self, byte: int, text: bytearray, reply: bytearray) -> None:
        if self._subnegotiation is not None and byte == IAC:
            self._collect(byte)
            return
        if self._subnegotiation is not None:
            if byte == SE:
                self._answer(bytes(self._subnegotiation), reply)
            self._subnegotiation = None  # any other command means that the host forgot the end
        if byte == IAC:
            self._after_cr = False
            text.append(IAC)
        elif byte == SB:
            self._subnegotiation = bytearray()
        elif byte in _REQUESTS:
            self._command = byte

    def _collect(self, byte: int) -> None:
        if self._subnegotiation is not None and len(self._subnegotiation) < MAX_SUBNEGOTIATION:
            self._subnegotiation.append(byte)

    def _negotiate(self, command: int, option: int, reply: bytearray) -> None:
        self.requests += 1
        allowed, active = (OURS, self.ours) if command in (DO, DONT) else (THEIRS, self.theirs)
        yes, no = (WILL, WONT) if command in (DO, DONT) else (DO, DONT)
        if command in (DONT, WONT):
            if option in active:
                active.discard(option)
                reply += bytes((IAC, no, option))
        elif option not in allowed:
            reply += bytes((IAC, no, option))
        elif option not in active:
            active.add(option)
            reply += bytes((IAC, yes, option))
            if command == DO and option == WINDOW_SIZE:
                reply += self._window_size()

    def _answer(self, message: bytes, reply: bytearray) -> None:
        self.requests += 1
        if message[:2] == bytes((TERMINAL_TYPE, SEND)) and TERMINAL_TYPE in self.ours:
            reply += bytes((IAC, SB, TERMINAL_TYPE, IS)) + self._terminal_type + bytes((IAC, SE))

    def _window_size(self) -> bytes:
        size = self._cols.to_bytes(2, "big") + self._rows.to_bytes(2, "big")
        return bytes((IAC, SB, WINDOW_SIZE)) + size.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))
