"""SHA-256 of a text that comes in many pieces, at little cost for each."""

from hashlib import sha256
from typing import Any

TOGETHER = 64
"""Pieces that are hashed at once: a call of the hash function costs more than the few bytes of a piece."""


class RunningDigest:
    """The digest of all that was added."""

    __slots__ = ("_hash", "_pieces")

    def __init__(self) -> None:
        self._hash: Any = None  # most are never asked for: whole answers have no pieces
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        self._pieces.append(piece)
        if len(self._pieces) >= TOGETHER:
            self._take_in()

    def hexdigest(self) -> str:
        """The digest in hexadecimal; empty when nothing was added."""
        if self._pieces:
            self._take_in()
        return "" if self._hash is None else self._hash.hexdigest()

    def _take_in(self) -> None:
        if self._hash is None:
            self._hash = sha256()
        self._hash.update(b"".join(self._pieces))
        self._pieces.clear()
