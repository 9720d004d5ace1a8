"""The files of a session that are on their way just now, and how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.transfers import Direction, TransferInfo
from shared.terminal.files import Progress


class Transfers:
    """Those under way, in the order in which they began."""

    def __init__(self) -> None:
        self._under_way: dict[object, TransferInfo] = {}

    @property
    def now(self) -> list[TransferInfo]:
        """How far each of them is."""
        return list(self._under_way.values())

    @contextmanager
    def one(self, direction: Direction, path: str, total: int | None = None) -> Iterator[Progress]:
        """A transfer for as long as the block lasts; it is to be told how far it is."""
        key = object()

        def moved(done: int, total: int | None) -> None:
            self._under_way[key] = TransferInfo(path=path, direction=direction, done_bytes=done, total_bytes=total)

        moved(0, total)
        try:
            yield moved
        finally:
            del self._under_way[key]
