"""A journal of rows that wait for the database: a process that is killed loses none of them.

Each process appends to files of its own and holds a lock on them. A file without a lock belongs to a process that has
ended, and another one takes it over. An append is one write without a sync, so it outlives the process and no power cut.
"""

import fcntl
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.structured import get_logger

log = get_logger(__name__)

SUFFIX = ".journal"
MOST_BYTES = 64 * 1024 * 1024
"""Of one file. There are two for each process: one is written while the rows of the other go into the database."""
READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class File:
    """An open file that this process holds the lock of."""

    path: Path
    descriptor: int
    size: int = 0

    def lines(self) -> Sequence[bytes]:
        """What is in it. Lines are separated by what they begin with, so that one that was cut off spoils no other."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        parts = []
        while part := os.read(self.descriptor, READ_BYTES):
            parts.append(part)
        return [line for line in b"".join(parts).split(b"\n") if line]

    def empty(self) -> None:
        """Begin again with nothing in it."""
        with suppress(OSError):  # what stays in it is known by its ids
            os.ftruncate(self.descriptor, 0)
        self.size = 0

    def delete(self) -> None:
        """Delete and unlock it."""
        with suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Unlock it, and leave it to whoever takes it over."""
        os.close(self.descriptor)


class Journal:
    """The files of this process in a folder, and a way to those that others left there.

    The owner numbers what it queues. `rotate` says up to which number the rows of the current file go, and `release` that
    rows up to a number are stored: then their file is emptied. `missed` counts lines that could not be appended.
    """

    def __init__(self, folder: Path) -> None:
        self.missed = 0
        self._folder = folder
        self._own: frozenset[Path] = frozenset()
        self._current: File | None = None
        self._spare: File | None = None
        self._full: tuple[int, File] | None = None
        self._failing = False

    def open(self) -> None:
        """Make the files of this process. Where that fails, every line is missed."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            current, spare = self._new(), self._new()
            self._own = frozenset({current.path, spare.path})
            self._current, self._spare = current, spare
        except OSError as error:
            self._warn(error.strerror or str(error))

    def append(self, line: bytes) -> None:
        """Add a line that has no newline in it. Never raises: what cannot be added is missed."""
        file = self._current
        if file is None or file.size >= MOST_BYTES:
            self._miss("the journal is full" if file is not None else "it could not be opened")
            return
        try:
            written = os.write(file.descriptor, b"\n" + line)
        except OSError as error:
            self._miss(error.strerror or str(error))
            return
        file.size += written
        if written <= len(line):
            self._miss("the disk is full")
        elif self._failing:
            self._failing = False

    def rotate(self, last: int) -> None:
        """Go on in the other file, once that is empty; the rows of this one are those up to a number."""
        if self._current is not None and self._current.size and self._spare is not None:
            self._full = last, self._current
            self._current, self._spare = self._spare, None

    def release(self, stored: int) -> None:
        """Forget rows up to a number: they are in the database."""
        if self._full is not None and self._full[0] <= stored:
            self._spare, self._full = self._full[1], None
            self._spare.empty()

    def left(self) -> File | None:
        """A file of a process that has ended, locked by this one until it is deleted or closed; None where there is none."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path not in self._own and (file := _locked(path)) is not None:
                return file
        return None

    def close(self, *, stored: bool) -> None:
        """Close both files, and delete them if everything in them is `stored`."""
        for file in self._files():
            file.delete() if stored else file.close()
        self._current = self._spare = self._full = None

    def _files(self) -> list[File]:
        found = (self._current, self._spare, self._full and self._full[1])
        return [file for file in found if file is not None]

    def _new(self) -> File:
        """A file with a name of its own. Another process may take it for one that was left, before it is locked."""
        while True:
            path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return File(path, descriptor)
            os.close(descriptor)

    def _miss(self, reason: str) -> None:
        self.missed += 1
        if not self._failing:
            self._warn(reason)

    def _warn(self, reason: str) -> None:
        self._failing = True
        log.warning(
            "rows that wait for the database are in memory only, and are lost if this process is killed",
            folder=str(self._folder),
            reason=reason,
        )


def _locked(path: Path) -> File | None:
    """The file, if no process holds its lock and it is still there."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = not os.fstat(descriptor).st_nlink
    except OSError:
        gone = True
    if gone:
        os.close(descriptor)
        return None
    return File(path, descriptor)
