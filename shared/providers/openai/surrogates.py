r"""Characters that a server has cut in two: one event ends with `\ud83d`, the next begins with `\ude00`. Pure.

JSON writes a character beyond the first 65,536 (most emoji) as two escapes, and a server that splits text between them sends
two strings that no strict parser reads. Seen with servers that escape all that is not ASCII and stream by UTF-16 unit.
"""

import re

from shared.providers.server_sent_events import split

FIRST_HALF = re.compile(rb'(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2})"')
"""The first half at the end of a string. An even number of backslashes before it are backslashes of the text."""
SECOND_HALF = re.compile(rb'"(\\u[dD][c-fC-F][0-9a-fA-F]{2})')
"""The second half at the beginning of a string."""


class SurrogateHalves:
    """Holds a first half back until its second half comes. One whose second half never comes is left out."""

    def __init__(self) -> None:
        self._held = b""

    def joined(self, events: bytes) -> bytes:
        """The same whole events, each character in one of them."""
        if not self._held and b"\\ud" not in events and b"\\uD" not in events:
            return events
        return b"".join(self._mended(event) + b"\n\n" for event in split(events))

    def _mended(self, event: bytes) -> bytes:
        if self._held and SECOND_HALF.search(event):
            held, self._held = self._held, b""
            event = SECOND_HALF.sub(lambda found: b'"' + held + found[1], event, count=1)
        if found := FIRST_HALF.search(event):
            self._held = found[2]
            event = event[: found.start(2)] + event[found.end(2) :]
        return event
