"""HTTP/1.1 on the socket: uvicorn's protocol with the limits it lacks, and refusals in our error form."""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from http_api.answering import Answering
from http_api.context import make_request_id
from http_api.disconnect import GONE
from http_api.errors import Header, HttpError, body_of, headers_of, status_of
from http_api.framing import FRAMING, divided, fault_of, handshake_fault, too_many
from http_api.limits import Limits
from http_api.lingering import Lingering
from http_api.responses import HARDENING, JSON, NO_STORE
from shared.errors import GatewayError, Overloaded

CONNECTION = "connection"
"""In the state of each request: what is noted of its connection."""


class Phase:
    """Whether the server leaves: each request is then the last of its connection."""

    leaving = False


class LimitedProtocol(Lingering, HttpToolsProtocol):
    """One connection. `enforce` is called by the server's clock, so that no request needs timers of its own.

    `opened` is called when the connection is there, to start that clock.
    """

    def __init__(
        self, *, limits: Limits, phase: Phase, opened: Callable[[], None] = lambda: None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self._phase = phase
        self._opened = opened
        self._receiving_headers = True
        self._unread = 0
        self._deadline: float | None = None
        self._stalled_since: float | None = None
        self._refusal: GatewayError | None = None
        self._surplus = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._opened()
        self.app_state = {**self.app_state, CONNECTION: {}}
        self._surplus = len(self.connections) > self.limits.connections
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
            return
        self._deadline = self.loop.time() + self.limits.header_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if (gone := self.app_state.get(CONNECTION, {}).pop(GONE, None)) is not None:
            gone()

    def data_received(self, data: bytes) -> None:
        if self.parser is None or self.transport.is_closing():
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread > self.limits.header_bytes and self.parser is not None:
            self._refuse(_headers_too_large(self.limits.header_bytes))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._receiving_headers = True
        self._deadline = self.loop.time() + self.limits.header_seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come here too; what they say after the body must not change what was judged (RFC 9110, 6.5.1)."""
        if self._receiving_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_head()
        self._receiving_headers = False
        self._unread = 0
        self._deadline = self.loop.time() + self.limits.body_seconds
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = Answering  # the only way in: uvicorn makes its own
        if self._phase.leaving:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._deadline = None
        self._receiving_headers = True
        self._unread = 0
        super().on_message_complete()

    def enforce(self, now: float) -> None:
        """Close the connection if its client is slower than it may be."""
        if self.transport.is_closing():
            self.end_lingering(self.transport, now, self.limits.stall_seconds)
        elif self._stalled_since is not None and now > self._stalled_since + self.limits.stall_seconds:
            self.transport.abort()
        elif self._deadline is not None and now > self._deadline:
            self._deadline = None
            if self._receiving_headers and not self._unread:
                self.transport.close()
            else:
                self._refuse(HttpError(408, "request_timeout", "The request did not arrive in time."))

    def pause_writing(self) -> None:
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does about a request that the parser, or a check of ours inside it, does not accept."""
        self._refuse(self._refusal or HttpError(400, "malformed_request", "This is not a valid HTTP/1.1 request."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer, unless another answer is under way, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self._write(error)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _write(self, error: GatewayError) -> None:
        headers, body = _final_answer(error)
        head = [*self.server_state.default_headers, *headers]
        lines = b"".join(b"%s: %s\r\n" % header for header in head)
        self.transport.write(STATUS_LINE[status_of(error)] + lines + b"\r\n" + body)

    def _check_head(self) -> None:
        if self._surplus:
            self._reject(
                Overloaded("The gateway has as many connections as it takes; try again shortly.", retry_after=1)
            )
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self._check_size()
        if fault := fault_of(method, self.url, version, self.headers):
            self._reject(fault)
        if absolute := divided(self.url):
            authority, self.url = absolute
            self.headers[:] = [(name, authority if name == b"host" else value) for name, value in self.headers]
        if self.parser.should_upgrade():
            self._check_upgrade(method)

    def _check_size(self) -> None:
        if fault := too_many(len(self.headers)):
            self._reject(fault)
        if self._unread > self.limits.header_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.limits.header_bytes:
                self._reject(_headers_too_large(self.limits.header_bytes))

    def _check_upgrade(self, method: bytes) -> None:
        """A body after an upgrade that we don't do would be lost, because the parser stops before it."""
        if self._should_upgrade():
            if fault := handshake_fault(method, self.url, self.headers):
                self._reject(fault)
        elif any(name in FRAMING for name, _ in self.headers):
            self._reject(HttpError(400, "unsupported_upgrade", "Send the request without an Upgrade header."))

    def _reject(self, error: GatewayError) -> None:
        self._refusal = error
        raise httptools.HttpParserError(error.message)


def _headers_too_large(limit: int) -> HttpError:
    return HttpError(431, "headers_too_large", f"The request's headers are larger than {limit} bytes.")


def _final_answer(error: GatewayError) -> tuple[list[Header], bytes]:
    """Headers and body of the last answer on a connection."""
    request_id, status = make_request_id(), status_of(error)
    body = body_of(error, status, request_id, form="flat")
    headers = [
        (b"content-type", JSON),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        (b"x-request-id", request_id.encode("ascii")),
        NO_STORE,
        *HARDENING,
        *headers_of(error, status, failed_over=False),
    ]
    return headers, body
