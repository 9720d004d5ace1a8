"""Waking when files are written, by inotify(7), which only Linux has."""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
WRITTEN = 0x2
"""IN_MODIFY: of a file that stays open, as a write-ahead log."""
REPLACED = 0x8 | 0x40 | 0x80 | 0x100 | 0x200
"""Files in a folder: IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE."""
ENDED = 0x4000 | 0x8000
"""IN_Q_OVERFLOW, IN_IGNORED: something went unseen, or what was watched has gone."""
HEAD = struct.Struct("iIII")
READ_BYTES = 65_536


class FileWatch:
    """Watches one file's content and the files in some folders. Its descriptor is readable after a change."""

    def __init__(self, file: Path | None, folders: Iterable[Path]) -> None:
        """Raises OSError where there is no inotify, no instance left, or nothing at one of the paths."""
        if sys.platform != "linux":
            raise OSError("there is no inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(FLAGS))
        try:
            if file is not None:
                self._add(file, WRITTEN)
            for folder in folders:
                self._add(folder, REPLACED)
        except OSError:
            self.close()
            raise

    def drain(self) -> bool:
        """Take note of what has changed; False when the watch no longer covers everything."""
        whole = True
        with suppress(BlockingIOError):
            while events := os.read(self.descriptor, READ_BYTES):
                offset = 0
                while offset < len(events):
                    _, mask, _, length = HEAD.unpack_from(events, offset)
                    whole = whole and not mask & ENDED
                    offset += HEAD.size + length
        return whole

    def close(self) -> None:
        """Watch nothing more."""
        os.close(self.descriptor)

    def _add(self, path: Path, mask: int) -> None:
        self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask))

    def _checked(self, answer: int) -> int:
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer
