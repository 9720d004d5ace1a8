"""Callers who are gone for good (a deleted or expired key, a removed user), and what ends with them."""

import functools
from collections.abc import Callable
from typing import Protocol

from shared.domain.identity import is_key_id, is_user_id

Gone = Callable[[str], bool]
"""Whether the caller of that id is gone."""


class Known(Protocol):
    """Keys or accounts, as they are in memory."""

    def knows(self, caller_id: str) -> bool:
        """Whether that one still counts."""


class Departures:
    """What runs on behalf of callers outlasts their requests: here it is looked through again and again, without a query."""

    def __init__(self, keys: Known, users: Known) -> None:
        self._keys = keys
        self._users = users
        self._ends: list[Callable[[Gone], None]] = []

    def watch(self, end: Callable[[Gone], None]) -> Callable[[], None]:
        """Have `end` called with each look, to end what it holds for those who are gone; returns what stops that."""
        self._ends.append(end)
        return lambda: self._ends.remove(end)

    def is_gone(self, caller_id: str) -> bool:
        """Whether that was a key or a user, and no longer is. The local user never leaves."""
        if is_key_id(caller_id):
            return not self._keys.knows(caller_id)
        return is_user_id(caller_id) and not self._users.knows(caller_id)

    async def look(self) -> None:
        """Once. Who came last to watch comes first: requests hear why they end before the work under them does."""
        gone = functools.cache(self.is_gone)
        for end in reversed(tuple(self._ends)):
            end(gone)
