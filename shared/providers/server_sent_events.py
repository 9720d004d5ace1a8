"""Server-sent events as bytes: cut a stream into whole events, and take events apart. Pure, no I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Iterator

from shared.errors import UpstreamError

MAX_EVENT_BYTES = 16 * 1024 * 1024


class EventSplitter:
    """Turns network blocks into runs of whole events, each ended by an empty line, with `\\n` line ends."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, block: bytes) -> bytes:
        """All events that are whole by now; what follows them waits for the next block."""
        data = self._rest + block if self._rest else block
        if b"\r" in data:
            data, self._rest = _normalised(data)
        else:
            self._rest = b""
        cut = data.rfind(b"\n\n") + 2
        if cut == 1:
            self._keep(data)
            return b""
        if cut != len(data):
            self._keep(data[cut:])
            return data[:cut]
        return data

    def finish(self) -> bytes:
        """What is left when the stream has ended without an empty line: taken as an event, as browsers don't."""
        rest, self._rest = self._rest.replace(b"\r", b"\n"), b""
        return rest.rstrip(b"\n") + b"\n\n" if rest.strip() else b""

    def _keep(self, rest: bytes) -> None:
        self._rest = rest + self._rest
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UpstreamError("The provider sent an event too large to handle.")


def _normalised(data: bytes) -> tuple[bytes, bytes]:
    """Line ends as `\\n`; a carriage return at the very end waits, since a line feed may follow it."""
    waiting = b""
    if data.endswith(b"\r"):
        data, waiting = data[:-1], b"\r"
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), waiting


def split(events: bytes) -> list[bytes]:
    """The single events of a run of whole ones, each without its ending empty line."""
    return [event for event in events.split(b"\n\n") if event.strip(b"\n")]


def payload(event: bytes) -> bytes | None:
    """The data of one event, None for a comment or an event without data."""
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
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
