"""The aliases in force: the default rules, or those that an operator has set at run time."""

import asyncio
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session

from shared.domain.aliases import Alias, default_aliases
from shared.storage import facts
from shared.storage.database import Database

FACT = "aliases"
VERSION = "aliases_version"
_TABLE = TypeAdapter(tuple[Alias, ...])


class LiveAliases:
    """`table` is replaced as a whole; a change is stored first, and reaches other processes by `refresh`."""

    def __init__(self, database: Database) -> None:
        self.table = default_aliases()
        self.are_default = True
        self._database = database
        self._version = -1
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Take over what is stored."""
        version, stored = await self._database.read(_load)
        if version > self._version:  # a change may have come between, and is newer then
            self._take(version, self._readable(stored))

    async def replace(self, table: tuple[Alias, ...] | None) -> None:
        """Put other rules in force; None returns to the default ones."""

        def work(session: Session) -> int:
            version = facts.next_version(session, VERSION)
            facts.write(session, FACT, None if table is None else _TABLE.dump_python(table, mode="json"))
            return version

        async with self._lock:
            self._take(await self._database.run(work), table)
            self._database.unreadable.forget("aliases", FACT)

    def _readable(self, stored: Any) -> tuple[Alias, ...] | None:
        """The stored rules; those that this version cannot read count as not set."""
        try:
            table = None if stored is None else _TABLE.validate_python(stored, extra="ignore")
        except ValidationError as error:
            self._database.unreadable.note("aliases", FACT, error)
            return None
        self._database.unreadable.forget("aliases", FACT)
        return table

    def _take(self, version: int, table: tuple[Alias, ...] | None) -> None:
        self._version, self.are_default = version, table is None
        self.table = default_aliases() if table is None else table


def _load(session: Session) -> tuple[int, Any]:
    return int(facts.read(session, VERSION, 0)), facts.read(session, FACT)
