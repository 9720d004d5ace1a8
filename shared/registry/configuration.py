"""The live configuration: the settings' values, overlaid with what operators changed at run time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from sqlmodel import Session

from shared.domain.configuration import Configuration
from shared.storage import facts, readable
from shared.storage.database import Database

FACT = "configuration"
VERSION = "configuration_version"


class LiveConfiguration:
    """`current` is replaced as a whole; a change is stored first and survives a restart."""

    def __init__(self, database: Database, defaults: Configuration, on_change: Callable[[Configuration], None]) -> None:
        self.current = defaults
        self._database = database
        self._defaults = defaults
        self._on_change = on_change
        self._version = -1
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Take over what is stored."""
        version, stored = await self._database.read(_load)
        if version > self._version:  # an update may have come between, and is newer then
            self._take(version, stored)

    async def update(self, changes: Mapping[str, Any]) -> Configuration:
        """Change some values (by their Python names); None returns one to what the settings say."""

        def work(session: Session) -> tuple[int, dict[str, Any]]:
            version = facts.next_version(session, VERSION)
            stored = {key: value for key, value in facts.read(session, FACT, {}).items() if key not in changes}
            wanted = {key: _plain(value) for key, value in changes.items() if value is not None}
            readable.known_fields(Configuration, self._overlaid(self._readable(stored) | wanted))
            stored |= wanted
            facts.write(session, FACT, stored)
            return version, stored

        async with self._lock:
            self._take(*await self._database.run(work))
        return self.current

    def _take(self, version: int, stored: Mapping[str, Any]) -> None:
        self._version = version
        self.current = readable.known_fields(Configuration, self._overlaid(self._readable(stored)))
        self._on_change(self.current)

    def _readable(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The stored values without those that this version cannot read."""
        try:
            readable.known_fields(Configuration, self._overlaid(stored))
        except ValidationError as error:
            self._database.unreadable.note("configuration", FACT, error)
            wrong = {problem["loc"][0] for problem in error.errors(include_url=False) if problem["loc"]}
            return {name: value for name, value in stored.items() if name not in wrong and to_camel(name) not in wrong}
        self._database.unreadable.forget("configuration", FACT)
        return dict(stored)

    def _overlaid(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._defaults.model_dump(by_alias=False), **stored}


def _load(session: Session) -> tuple[int, dict[str, Any]]:
    return int(facts.read(session, VERSION, 0)), dict(facts.read(session, FACT, {}))


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str) else str(value)
