"""Keeps what the learner has learned: read at start, written now and then and at the end, shared between processes."""

import asyncio
from typing import Any

from pydantic import ValidationError

from shared.errors import Unavailable
from shared.routing.learning.learner import Learner
from shared.routing.learning.state import State, merged
from shared.storage import learning_rows
from shared.storage.database import Database
from shared.structured import get_logger

log = get_logger(__name__)

FLUSH_SECONDS = 30.0


class Persistence:
    """The learner's place in the database. What a process that is killed learned since the last writing is lost.

    Processes that learn side by side average what they learned since they last met, each by how much that is.
    """

    def __init__(self, database: Database, learner: Learner) -> None:
        self._database = database
        self._learner = learner
        self._common = 0.0
        self._alone = asyncio.Lock()

    async def load(self) -> None:
        """Take up what is stored; what cannot be read, or is of another version, is left. Raises Unavailable."""
        if self._learner.mode == "off":
            return
        state = _readable(await self._database.read(learning_rows.load))
        if state is not None:
            self._learner.restore(state)
            self._common = state.learned

    async def flush(self) -> None:
        """Bring what is stored and what is in memory together. Raises Unavailable."""
        if self._learner.mode == "off":
            return
        async with self._alone:
            mine = self._learner.state()
            found = mine

            def bring_together(stored: Any) -> Any | None:
                nonlocal found
                found = merged(mine, _readable(stored), common=self._common)
                return found.model_dump(mode="json") if mine.learned > self._common else None

            await self._database.run(lambda session: learning_rows.change(session, bring_together))
            if found is not mine:
                self._learner.heads.catch_up(mine, found)
            self._common = found.learned

    async def run(self) -> None:
        """Flush now and then, for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Unavailable as error:
                log.warning("what the router has learned waits for the database", reason=error.operator_detail)

    async def aclose(self) -> None:
        """Write the rest, if the database takes it."""
        try:
            await self.flush()
        except Unavailable as error:
            log.warning("what the router learned lately is lost", reason=error.operator_detail)


def _readable(stored: Any) -> State | None:
    if stored is None:
        return None
    try:
        return State.model_validate(stored)
    except ValidationError as error:
        log.warning("what the router had learned cannot be read; it starts afresh", problems=error.error_count())
        return None
