"""How the head of an answer is written: uvicorn's way, in a fifth of its time."""

from collections.abc import Coroutine
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

ALLOWED = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte == 0x09)
BODILESS = frozenset({204, 304})
FRAMING_LENGTHS = frozenset(map(len, (b"content-length", b"transfer-encoding", b"connection")))


class Answering(RequestResponseCycle):
    """Looks for forbidden characters once in the whole head, where uvicorn looks twice at every header, and sends the head
    of an answer of known length together with the first of its body: one system call, and one packet for the client.
    """

    _head = b""

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Bodies go uvicorn's way."""
        if not self.response_started and message["type"] == "http.response.start":
            return self._begin(message)
        if self._head and message["type"] == "http.response.body":
            head, self._head = self._head, b""
            self.expected_content_length += len(head)
            message = {**message, "body": head + message.get("body", b"")}
        return super().send(message)

    async def _begin(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        self.response_started = True
        self.waiting_for_100_continue = False
        status = cast("int", message["status"])
        headers = [*self.default_headers, *message.get("headers", ())]
        if not self._framed_by(headers) and not self.keep_alive:
            headers.append((b"connection", b"close"))
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in BODILESS:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if lines.translate(None, ALLOWED) != b"\r\n" * len(headers):
            raise RuntimeError("An answer has a header with characters that no header may have.")
        self._head = STATUS_LINE[status] + lines + b"\r\n"
        if self.chunked_encoding or self.scope["method"] == "HEAD":
            self.transport.write(self._head)
            self._head = b""

    def _framed_by(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Take from the headers how the body ends; whether they say themselves that the connection closes."""
        closes = False
        for name, value in headers:
            if len(name) not in FRAMING_LENGTHS:
                continue
            name = name.lower()
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length, self.chunked_encoding = int(value), False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length, self.chunked_encoding = 0, True
            elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                self.keep_alive, closes = False, True
        return closes
