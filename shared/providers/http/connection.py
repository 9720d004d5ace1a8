"""One connection to a provider: a request at a time, the head of its answer, and the body as it comes."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

MOST_FRAMING_BYTES = 256 * 1024
"""Of what is no body: the head, and among the parts of a body extensions and trailers, which are dropped."""
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024
CLOCK_SLACK = 0.001


class ConnectionGone(ConnectionError):
    """It closed in the middle of an answer."""


class GoneUnanswered(ConnectionGone):
    """It closed before the first byte of an answer, as a kept-alive one does that was closed while idle."""


class BadAnswer(Exception):
    """What came is not HTTP as we take it."""


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1. `on_lost` is called once it has closed, for whatever reason.

    Only one task uses it at a time. One timer serves all deadlines: it is set anew only for an earlier one, and looks
    when it fires whether its time has come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[["Connection"], None]) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = True
        self.idle_since = 0.0
        self.fault: BaseException | None = None
        self._loop = loop
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline = 0.0
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._framing = 0
        self._has_head = False
        self._paused = False
        self._keeps = True

    # what its user does

    async def ask(self, request: bytes, deadline: float) -> None:
        """Send a request and wait for the head of its answer. Raises OSError, TimeoutError, BadAnswer."""
        self.status, self.headers, self.complete, self._has_head = 0, {}, False, False
        self._framing = 0
        if self._transport is None or self._transport.is_closing():
            raise GoneUnanswered("the connection has closed")
        self._transport.write(request)
        while not self._has_head:
            await self.more(deadline)

    async def more(self, deadline: float) -> None:
        """Wait for anything new: bytes, the end. Raises OSError, TimeoutError, BadAnswer, once all bytes are taken."""
        self._raise_fault()
        if self._loop.time() >= deadline:  # the timer does not fire where there is always something new
            self._fail(TimeoutError("it did not end in time"))
            self._raise_fault()
        if self._timer is None or self._timer_at > deadline:
            self._set_timer(deadline)
        self._deadline = deadline
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if not self._pieces and not self.complete:
            self._raise_fault()

    def taken(self) -> bytes:
        """What has come of the body since the last call."""
        pieces = self._pieces
        if not pieces:
            return b""
        self._pieces, self._buffered = [], 0
        if self._paused:
            self._resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: all of this one's answer is here and taken, and all of it was sent.

        What nobody took would else be the beginning of the next one's answer.
        """
        transport = self._transport
        return (
            self.complete
            and not self._pieces
            and self._keeps
            and self.fault is None
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    def close(self) -> None:
        """At once: what is under way stops."""
        if self._transport is not None:
            self._transport.abort()

    # what its transport does

    def attach(self, transport: asyncio.Transport) -> None:
        """Go on over this transport."""
        self._transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        if self.complete:  # nobody has asked for anything
            self._fail(BadAnswer("bytes that nobody asked for"))
            return
        self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keeps = False
            if not self.complete:
                self._fail(BadAnswer(str(error)))
                return
        if self._framing > MOST_FRAMING_BYTES and not self.complete:
            self._fail(BadAnswer("the answer is too large beside its body"))
            return
        if self._buffered > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.complete and self.fault is None:
            if error is None and self._has_head and self._ends_with_connection():
                self.complete = True
            else:
                kind = ConnectionGone if self._has_head or self._framing else GoneUnanswered
                self.fault = kind(str(error or "the connection was closed"))
        self._keeps = False
        self._transport = None
        self._wake()
        self._on_lost(self)

    # what the parser finds

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after the body are of no interest."""
        if self._has_head:
            return
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """The head is here; one below 200 only says that there is more to come (RFC 9110, 15.2)."""
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = {}
            return
        self.status = status
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self._pieces.append(data)
        self._buffered += len(data)
        self._framing = 0

    def on_message_complete(self) -> None:
        """The end of the answer, or of what came before it."""
        if self._has_head:
            self.complete = True
            self._keeps = self._keeps and self._parser.should_keep_alive()

    def on_message_begin(self) -> None:
        """Another answer where one has ended is none that was asked for."""
        if self.complete:
            raise BadAnswer("an answer that nobody asked for")

    # the rest

    def _ends_with_connection(self) -> bool:
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def _raise_fault(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(when, self._look_at_clock), when

    def _look_at_clock(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + CLOCK_SLACK < self._deadline:
            self._set_timer(self._deadline)
        else:
            self._fail(TimeoutError("nothing came in time"))

    def _fail(self, fault: BaseException) -> None:
        if self.fault is None:
            self.fault = fault
        self._keeps = False
        self._wake()
        self.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()
