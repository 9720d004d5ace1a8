"""Telling a process that the state it shares with others may have changed: by notice where there is one, else by polling."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.storage.database import Database
from shared.storage.file_watch import FileWatch
from shared.storage.listener import Listener

SETTLE_SECONDS = 2.0
"""SQLite writes its log before it makes a commit visible: so long after a notice is looked for it."""


class Changes:
    """Notices of a database and of folders.

    SQLite is noticed by its write-ahead log, which every commit of any process writes; PostgreSQL notifies. `folders`
    hold further files whose replacement is noticed.
    """

    def __init__(self, database: Database, folders: Iterable[Path] = ()) -> None:
        self._database = database
        self._folders = tuple(folders)
        self._noticed = asyncio.Event()
        self._files: FileWatch | None = None
        self._listener = Listener(database, self._noticed.set) if database.notifies else None
        self._returned = self._noticed_at = float("-inf")

    @property
    def noticed_at_once(self) -> bool:
        """Whether everything that changes is noticed without polling."""
        stored = self._listener.works if self._listener is not None else self._database.log_file is not None
        return stored and self._files is not None

    def notice(self) -> None:
        """Let the next wait return."""
        self._noticed.set()

    async def wait(self, *, longest: float, poll: float) -> None:
        """Return after a notice, after `longest` seconds without one, or after `poll` where there are no notices, or was
        one a moment ago.

        Never sooner than `poll` seconds after the last return, so that a burst counts once.
        """
        loop = asyncio.get_running_loop()
        self._watch_files()
        quiet = self.noticed_at_once and loop.time() - self._noticed_at >= SETTLE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(longest if quiet else poll):
                await self._noticed.wait()
                self._noticed_at = loop.time()
        if self._files is not None:  # a busy log must not wake the process for each of its pages
            loop.remove_reader(self._files.descriptor)
        await asyncio.sleep(self._returned + poll - loop.time())
        self._noticed.clear()
        self._returned = loop.time()
        if self._files is not None and not self._files.drain():
            self.close()

    async def run(self) -> None:
        """Keep up the connection that listens, for ever; returns where there is none to be had."""
        if self._listener is not None:
            await self._listener.run()

    def close(self) -> None:
        """Watch no files any more."""
        if self._files is not None:
            asyncio.get_running_loop().remove_reader(self._files.descriptor)
            self._files.close()
            self._files = None

    def _watch_files(self) -> None:
        """What has changed since the last wait is noticed at once."""
        if self._files is None:
            with suppress(OSError):
                self._files = FileWatch(self._database.log_file, self._folders)
                self._noticed.set()  # for what changed before
        if self._files is not None:
            asyncio.get_running_loop().add_reader(self._files.descriptor, self._noticed.set)
