"""The output of one command: its beginning and its end, and the count of what lies between."""

import codecs
from collections.abc import Callable


class Capture:
    """Keeps at most `limit` bytes of a stream, half from its beginning and half from its end, however much comes.

    `listener` is told of the text as it comes, decoded so that no character is cut; `sink` gets all bytes.
    """

    def __init__(
        self,
        limit: int,
        listener: Callable[[str], None] | None = None,
        sink: Callable[[bytes], None] | None = None,
    ) -> None:
        self.total = 0
        self._head = bytearray()
        self._head_limit = limit - limit // 2
        self._tail = bytearray()
        self._tail_limit = limit // 2
        self._listener = listener
        self._sink = sink
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def truncated(self) -> bool:
        """Whether some of the middle was left out."""
        return self.total > self._head_limit + self._tail_limit

    def feed(self, data: bytes) -> None:
        """Take in some output."""
        self.total += len(data)
        if self._sink is not None:
            self._sink(data)
        if self._listener and (text := self._decoder.decode(data)):
            self._listener(text)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: len(self._tail) - self._tail_limit]

    def text(self) -> str:
        """What was kept, with a line in place of what was left out."""
        if not self.truncated:
            return (self._head + self._tail).decode(errors="replace")
        head = whole_end(self._head)
        tail = _whole_start(self._tail[len(self._tail) - self._tail_limit :])
        left_out = self.total - len(head) - len(tail)
        return f"{head.decode(errors='replace')}\n[... {left_out} bytes left out ...]\n{tail.decode(errors='replace')}"


def whole_end(data: bytearray) -> bytearray:
    """Without the first bytes of a character whose rest was left out."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            width = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2
            return data[:-back] if back < width else data
        if byte < 0x80:
            break
    return data


def _whole_start(data: bytearray) -> bytearray:
    """Without the last bytes of a character whose beginning was left out."""
    skip = 0
    while skip < min(3, len(data)) and 0x80 <= data[skip] < 0xC0:
        skip += 1
    return data[skip:]
