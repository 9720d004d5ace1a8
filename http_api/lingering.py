"""Connections that are closing while their client takes nothing any more."""

import asyncio


class Lingering:
    """Ends what a close would wait for for ever: a transport flushes first, and a client may never read."""

    _closing_since: float | None = None

    def end_lingering(self, transport: asyncio.Transport, now: float, seconds: float) -> None:
        """Cut a closing connection off once it has been closing for that long."""
        if self._closing_since is None:
            self._closing_since = now
        elif now > self._closing_since + seconds:
            transport.abort()
