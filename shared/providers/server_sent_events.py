"""Server-sent events as bytes: cut a stream into whole events, and take events apart. Pure, no I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Iterator

from shared.errors import UpstreamBadAnswer

MAX_EVENT_BYTES = 16 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
END = b"\n\n"


class EventSplitter:
    """Turns network blocks into runs of whole events, each ended by an empty line, with `\\n` line ends."""

    def __init__(self) -> None:
        self._rest = bytearray()  # grows in place, or a long event in small blocks would be copied again with each
        self._return_waits = False

    def feed(self, block: bytes) -> bytes:
        """All events that are whole by now; what follows them waits for the next block.

        Raises UpstreamBadAnswer for an event that does not end.
        """
        if self._return_waits or b"\r" in block:
            block = self._normalised(block)
        rest = self._rest
        if not rest and block.endswith(END):
            return block
        searched = max(len(rest) - 1, 0)
        rest += block
        cut = rest.rfind(END, searched) + len(END)
        if cut < len(END):
            cut = 0
        events = bytes(rest[:cut])
        del rest[:cut]
        if len(rest) > MAX_EVENT_BYTES:
            raise UpstreamBadAnswer("The provider sent an event too large to handle.", begun=True)
        return events

    def finish(self) -> bytes:
        """What is left when the stream has ended without an empty line: taken as an event, as browsers don't."""
        rest, self._rest = bytes(self._rest).rstrip(b"\n"), bytearray()
        return rest + END if rest else b""

    def _normalised(self, block: bytes) -> bytes:
        """Line ends as `\\n`; a carriage return at the very end waits, since a line feed may follow it."""
        if self._return_waits:
            block = b"\r" + block
        self._return_waits = block.endswith(b"\r")
        if self._return_waits:
            block = block[:-1]
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def split(events: bytes) -> list[bytes]:
    """The single events of a run of whole ones, each without its ending empty line."""
    return [event for event in events.split(b"\n\n") if event.strip(b"\n")]


def payload(event: bytes) -> bytes | None:
    """The data of one event, None for a comment or an event without data."""
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    named = event.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    lines = [line[5:].removeprefix(b" ") for line in named if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(lines) if lines else None


def payloads(events: bytes) -> Iterator[bytes]:
    """The data of each event in a run of whole ones."""
    for event in split(events):
        data = payload(event)
        if data is not None:
            yield data


def encode(data: bytes) -> bytes:
    """One event with one line of data."""
    return b"data: " + data + b"\n\n"
