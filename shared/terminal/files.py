"""Files on the other side of a session: the seam between sessions and the targets that have some."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from shared.domain.files import FileInfo

Progress = Callable[[int, int], None]
"""Told how many bytes are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a file. `eof` says that none follow."""

    file: FileInfo
    data: bytes
    eof: bool


class Files(Protocol):
    """The files of one target. All of it raises NotFound, Forbidden, InvalidInput, TerminalError."""

    async def look(self, path: str) -> FileInfo:
        """What is at a path; a symlink is followed where it leads somewhere."""

    async def entries(self, folder: FileInfo, most: int) -> list[FileInfo]:
        """What is in a directory, by name, at most so many."""

    async def read(self, path: str, offset: int, limit: int, on_progress: Progress | None = None) -> Part:
        """At most `limit` bytes from `offset` on."""

    async def write(
        self, path: str, data: bytes, *, mode: int | None, overwrite: bool, on_progress: Progress | None = None
    ) -> tuple[FileInfo, bool]:
        """Write a whole file or nothing, and whether it is a new one. Raises Conflict for one that is there."""


@runtime_checkable
class HasFiles(Protocol):
    """A channel whose target has files to get at."""

    def files(self) -> AbstractAsyncContextManager[Files]:
        """The files, for as long as the block lasts."""
