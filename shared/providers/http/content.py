"""Bodies that come compressed although nobody asked for it. Pure."""

import zlib

from shared.providers.http.connection import BadAnswer

PLAIN = frozenset({"", "identity"})
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
PART_BYTES = 64 * 1024
EITHER_HEADER = 32 + zlib.MAX_WBITS
MAGIC = b"\x1f\x8b"
"""What a gzip file begins with; another may follow one (RFC 1952, 2.2), anything else after it is padding."""


class Unpacked:
    """Unpacks gzip and deflate bit by bit: a small body may hold gigabytes, and its reader says when that is enough."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(EITHER_HEADER)
        self._rest = b""
        self._more = self._begun = False

    @classmethod
    def of(cls, encoding: str) -> "Unpacked | None":
        """None for a body that is plain. Raises BadAnswer for what we cannot unpack."""
        name = encoding.strip().lower()
        if name in PLAIN:
            return None
        if name not in PACKED:
            raise BadAnswer(f"the body is packed as {name[:40]!r}, which was not asked for")
        return cls()

    def feed(self, block: bytes) -> None:
        """More of the body; what came before must have been taken."""
        self._rest, self._begun = block, True

    def part(self) -> bytes:
        """Some of what it holds; empty when there is nothing until more is fed. Raises zlib.error."""
        while self._rest or self._more:
            if self._unpacker.eof:
                if not self._rest.startswith(MAGIC):
                    self._rest = b""
                    break
                self._unpacker = zlib.decompressobj(EITHER_HEADER)
            part = self._unpacker.decompress(self._rest, PART_BYTES)
            ended = self._unpacker.eof
            self._rest = self._unpacker.unused_data if ended else self._unpacker.unconsumed_tail
            self._more = not ended and len(part) == PART_BYTES
            if part:
                return part
        return b""

    def end(self) -> None:
        """The body has ended. Raises BadAnswer where what it holds has not."""
        if self._begun and not self._unpacker.eof:
            raise BadAnswer("the body ends before what is packed in it")
