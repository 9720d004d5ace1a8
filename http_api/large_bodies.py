"""Limits on large request bodies: how many JSON values one has, and how many bytes of them requests hold at a time.

A small value takes up to 30 times its text in memory, so that the size of a body alone does not bound it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from http_api.errors import HttpError
from shared.domain.json_values import has_more_values
from shared.errors import RateLimited

SMALL = 64 * 1024
"""Bodies up to this size are not counted: `MAX_CONNECTIONS` bounds them."""

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeBodyLimits:
    """Values of one body; bytes of one caller's bodies and of all callers' bodies that are in work."""

    values: int = 250_000
    caller_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 256 * 1024 * 1024


class BodiesInWork:
    """Bytes of the large bodies of unanswered requests, per caller and in total."""

    def __init__(self, limits: LargeBodyLimits) -> None:
        self._limits = limits
        self._held: Counter[str] = Counter()
        self._total = 0

    @contextmanager
    def share_of(self, caller: str) -> Iterator["Share"]:
        """What one request holds, given back at the end of the block."""
        share = Share(self, caller)
        try:
            yield share
        finally:
            self._total -= share.size
            self._held[caller] -= share.size
            if not self._held[caller]:
                del self._held[caller]

    def take(self, caller: str, size: int) -> None:
        """Count bytes that have arrived. Raises RateLimited when there is no room for them."""
        limits = self._limits
        if self._held[caller] + size > limits.caller_bytes:
            raise _full("Your requests in work hold", limits.caller_bytes, "MAX_BODY_BYTES_IN_WORK_PER_CALLER")
        if self._total + size > limits.total_bytes:
            raise _full("All requests in work hold", limits.total_bytes, "MAX_BODY_BYTES_IN_WORK")
        self._held[caller] += size
        self._total += size

    def check_values(self, body: bytes) -> None:
        """Raises HttpError for a body of too many JSON values."""
        if has_more_values(body, self._limits.values):
            raise HttpError(
                413,
                "body_too_large",
                f"The request body has more than {self._limits.values} JSON values; send fewer, or raise MAX_BODY_VALUES.",
                details={"maxValues": self._limits.values},
            )


class Share:
    """The bytes that one request holds."""

    def __init__(self, bodies: BodiesInWork, caller: str) -> None:
        self.size = 0
        self._bodies = bodies
        self._caller = caller

    def take(self, size: int) -> None:
        """Count bytes that have arrived. Raises RateLimited when there is no room for them."""
        self._bodies.take(self._caller, size)
        self.size += size


def _full(whose: str, limit: int, setting: str) -> RateLimited:
    return RateLimited(
        f"{whose} {limit} bytes of bodies, which is the limit; send this again when one of them is answered, or raise {setting}.",
        code="too_many_body_bytes",
        details={"maxBytes": limit},
        retry_after=RETRY_SECONDS,
    )
