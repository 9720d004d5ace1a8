"""Bodies that come compressed although nobody asked for it. Pure."""

import zlib

from shared.providers.http.connection import BadAnswer

PLAIN = frozenset({"", "identity"})
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
PART_BYTES = 64 * 1024
EITHER_HEADER = 32 + zlib.MAX_WBITS


class Unpacked:
    """Unpacks gzip and deflate bit by bit: a small body may hold gigabytes, and its reader says when that is enough."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(EITHER_HEADER)
        self._rest = b""
        self._more = False

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
        self._rest = block

    def part(self) -> bytes:
        """Some of what it holds; empty when there is nothing until more is fed. Raises zlib.error."""
        while self._rest or self._more:
            part = self._unpacker.decompress(self._rest, PART_BYTES)
            self._rest, self._more = self._unpacker.unconsumed_tail, len(part) == PART_BYTES
            if part:
                return part
        return b""
