"""Keeps a secret that was typed out of what is shown, should the other side echo it."""

import asyncio
from collections.abc import Callable

HIDDEN = b"********"
PATIENCE = 0.2
"""Seconds without further output after which the possible beginning of a secret is shown."""


class Mask:
    """Replaces the secrets in a stream. What could be the beginning of one is held back until it is known."""

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()
        self._held = b""

    @property
    def holds(self) -> bool:
        """Whether something is held back, to be taken with `rest` if nothing follows soon."""
        return bool(self._held)

    def hide(self, secret: bytes) -> None:
        """From here on this is not shown."""
        self._secrets.add(secret)

    def feed(self, data: bytes) -> bytes:
        """What may be shown by now."""
        data = self._held + data
        for secret in sorted(self._secrets, key=len, reverse=True):
            data = data.replace(secret, HIDDEN)
        kept = max((_partial(data, secret) for secret in self._secrets), default=0)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept]

    def rest(self) -> bytes:
        """What was held back and turned out to be none."""
        held, self._held = self._held, b""
        return held


class MaskedOutput:
    """Passes a stream on to `show` through a mask, which other streams may share."""

    def __init__(self, mask: Mask, show: Callable[[bytes], None]) -> None:
        self._mask = mask
        self._show = show
        self._patience: asyncio.TimerHandle | None = None

    def hide(self, secret: bytes) -> None:
        """From here on this is not shown."""
        self._mask.hide(secret)

    def feed(self, data: bytes) -> None:
        """Show the data without the secrets."""
        self._stop_waiting()
        self._show(self._mask.feed(data))
        if self._mask.holds:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self.finish)

    def finish(self) -> None:
        """Show what was held back."""
        self._stop_waiting()
        self._show(self._mask.rest())

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _partial(data: bytes, secret: bytes) -> int:
    """How many bytes at the end could be the beginning of the secret."""
    most = min(len(secret) - 1, len(data))
    return next((size for size in range(most, 0, -1) if data.endswith(secret[:size])), 0)
