"""WebSockets on the wire: uvicorn's protocol with the deadlines that it lacks."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from http_api.limits import Limits
from http_api.lingering import Lingering


class LimitedSocket(Lingering, WebSocketsSansIOProtocol):
    """One connection after its upgrade. `enforce` is called by the server's clock."""

    def __init__(self, *, limits: Limits, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limits = limits
        self._deadline = self.loop.time() + limits.header_seconds

    def enforce(self, now: float) -> None:
        """Close the connection if its handshake, or its end, takes longer than it may."""
        if self.transport.is_closing():
            self.end_lingering(self.transport, now, self.limits.stall_seconds)
        elif not self.handshake_complete and now > self._deadline:
            self.transport.abort()

    async def send(self, message: Any) -> None:
        """As uvicorn's, which takes a handshake that was refused with an answer for one that was forgotten."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
