"""Bodies that come compressed although nobody asked for it. Pure."""

import zlib
from collections.abc import Iterator

from shared.providers.http.connection import BadAnswer

PLAIN = frozenset({"", "identity"})
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
PART_BYTES = 256 * 1024
EITHER_HEADER = 32 + zlib.MAX_WBITS


class Unpacked:
    """Unpacks gzip and deflate bit by bit: a small body may hold gigabytes, and its reader says when that is enough."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(EITHER_HEADER)

    @classmethod
    def of(cls, encoding: str) -> "Unpacked | None":
        """None for a body that is plain. Raises BadAnswer for what we cannot unpack."""
        name = encoding.strip().lower()
        if name in PLAIN:
            return None
        if name not in PACKED:
            raise BadAnswer(f"the body is packed as {name[:40]!r}, which was not asked for")
        return cls()

    def parts(self, block: bytes) -> Iterator[bytes]:
        """What a block of the body holds. Raises zlib.error."""
        while block:
            part = self._unpacker.decompress(block, PART_BYTES)
            block = self._unpacker.unconsumed_tail
            if part:
                yield part
