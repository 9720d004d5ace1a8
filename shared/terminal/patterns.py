"""Patterns of callers over what a program writes, in time linear in its length (RE2)."""

import asyncio

import re2

from shared.errors import invalid_field

MAX_MEMORY = 1024 * 1024
"""Bytes for a compiled pattern; what it needs more than that for is refused, so that its time is bounded too."""
SMALL = 16 * 1024


class Pattern:
    """A compiled pattern. `^` and `$` are the ends of a line."""

    def __init__(self, pattern: str, *, field: str = "wait.pattern") -> None:
        """Raises InvalidInput for what RE2 does not take: look-around and back references, and what is no pattern."""
        options = re2.Options()
        options.max_mem = MAX_MEMORY
        options.log_errors = False
        try:
            self._compiled = re2.compile(f"(?m){pattern}", options)
        except re2.error as error:
            reason = f"RE2 does not take it ({_said(error)}); it has no look-around and no back references"
            raise invalid_field(field, reason) from error

    async def search(self, text: str) -> str | None:
        """The first match in the text; long texts are searched in a thread, without holding up the others."""
        return self._search(text) if len(text) <= SMALL else await asyncio.to_thread(self._search, text)

    def span(self, data: bytes, position: int) -> tuple[int, int] | None:
        """Where the first match from a position on begins and ends."""
        found = self._compiled.search(data, position)
        return None if found is None else (found.start(), found.end())

    def _search(self, text: str) -> str | None:
        found = self._compiled.search(text)
        return None if found is None else str(found.group())


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
