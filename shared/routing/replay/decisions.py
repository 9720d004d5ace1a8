"""Decisions on their way into the database: queued, written in batches, forgotten after some days."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlmodel import Session

from shared.domain.chat import ChatRequest
from shared.domain.trace import current_id
from shared.routing.replay.decision import Decision
from shared.routing.replay.decision_record import stored, text_of
from shared.storage import decision_rows, json_text
from shared.storage.database import Database
from shared.storage.row_ids import row_ids
from shared.storage.write_behind import WriteBehind

CAPACITY = 20_000
TEXTS = 500
"""While more decisions than this wait, their messages are not kept: those may be 10 MB each."""

VoteOf = Callable[[str, str], float | None]
"""A caller's vote on a request of its own, by the ids of both; None when there is none, or not yet."""


class Waiting(NamedTuple):
    """A decision that is yet to be written: its row without a vote, and the request where its text is kept."""

    row: dict[str, Any]
    request: ChatRequest | None


class Decisions:
    """The log of decisions, kept for `days`; 0 keeps none. `with_text` keeps the messages of the requests too."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        days: int,
        with_text: bool = False,
        vote_of: VoteOf = lambda _caller, _request: None,
    ) -> None:
        self.days = days
        self._database = database
        self._clock = clock
        self._with_text = with_text
        self._vote_of = vote_of
        self._row_ids = row_ids()
        self._queue: WriteBehind[Waiting] = WriteBehind(database, self._write, what="decisions", capacity=CAPACITY)

    @property
    def queued(self) -> int:
        """How many wait for the database."""
        return len(self._queue)

    @property
    def lost(self) -> int:
        """How many had no room, or were refused by the database."""
        return self._queue.lost

    @property
    def takes_text(self) -> bool:
        """Whether messages are kept, and there is room for them."""
        return self._with_text and len(self._queue) < TEXTS

    def record(self, decision: Decision) -> None:
        """Queue what is stored of a decision: its plan alone may name every model there is. Never waits."""
        if self.days:
            self._queue.put(Waiting(_row(decision, next(self._row_ids)), decision.request))

    async def run(self) -> None:
        """Write what is queued, for ever."""
        await self._queue.run()

    async def flush(self) -> None:
        """Write everything queued so far. Raises Unavailable and keeps it when the database is away."""
        await self._queue.flush()

    async def aclose(self) -> None:
        """Write the rest, if the database takes it."""
        await self._queue.aclose()

    def prune(self, session: Session, limit: int) -> int:
        """Delete up to `limit` decisions that are older than they may be, or too many; returns how many."""
        return decision_rows.prune(session, self._clock() - timedelta(days=self.days), limit=limit)

    def _write(self, session: Session, waiting: Sequence[Waiting]) -> None:
        decision_rows.add(session, [self._voted(row) | {"text": text_of(request)} for row, request in waiting])

    def _voted(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "score": self._vote_of(row["caller"], row["request_id"])}


def _row(decision: Decision, row_id: int) -> dict[str, Any]:
    """As JSON the data takes a third of the memory."""
    caller, data = decision.caller, orjson.Fragment(json_text.dumps(stored(decision)))
    names = {"request_id": caller.request_id, "caller": caller.id, "trace_id": current_id()}
    return {"at": decision.at, "row_id": row_id, "data": data, **names}
