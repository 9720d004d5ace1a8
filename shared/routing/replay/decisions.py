"""Decisions on their way into the database: queued, written in batches, forgotten after some days."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlmodel import Session

from shared.domain.chat import ChatRequest
from shared.domain.trace import current_id
from shared.routing.replay.decision import Decision
from shared.routing.replay.decision_record import stored, text_of
from shared.storage import decision_rows, json_text
from shared.storage.database import Database
from shared.storage.write_behind import WriteBehind

CAPACITY = 20_000
TEXTS = 500
"""While more decisions than this wait, their messages are not kept: those may be 10 MB each."""

COUNT_EVERY = timedelta(minutes=30)

VoteOf = Callable[[str, str], float | None]
"""A caller's vote on a request of its own, by the ids of both; None when there is none, or not yet."""


class Waiting(NamedTuple):
    """A decision that is yet to be written, as JSON, and the request where its text is kept."""

    at: datetime
    number: int
    request_id: str
    caller: str
    trace_id: str
    data: str
    request: ChatRequest | None


class Decisions:
    """The log of decisions: the newest `most` (0: all) of `days`; 0 keeps none. `with_text` keeps the messages of the requests too."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        days: int,
        most: int = 0,
        with_text: bool = False,
        vote_of: VoteOf = lambda _caller, _request: None,
    ) -> None:
        self.days = days
        self._database = database
        self._clock = clock
        self._most = most
        self._through = 0
        self._counted = datetime.min.replace(tzinfo=UTC)
        self._numbers = itertools.count(secrets.randbits(decision_rows.COUNTED))
        self._with_text = with_text
        self._vote_of = vote_of
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
            self._queue.put(_waiting(decision, next(self._numbers)))

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
        now = self._clock()
        if self._most and now - self._counted >= COUNT_EVERY:
            self._counted, self._through = now, decision_rows.beyond(session, self._most)
        return decision_rows.prune(session, now - timedelta(days=self.days), limit=limit, through=self._through)

    def _write(self, session: Session, waiting: Sequence[Waiting]) -> None:
        decision_rows.add(session, [self._row(each) for each in waiting])

    def _row(self, waiting: Waiting) -> dict[str, Any]:
        row = decision_rows.row_of(
            waiting.at,
            waiting.number,
            request_id=waiting.request_id,
            caller=waiting.caller,
            trace_id=waiting.trace_id,
            data=waiting.data,
        )
        return {**row, "score": self._vote_of(waiting.caller, waiting.request_id), "text": text_of(waiting.request)}


def _waiting(decision: Decision, number: int) -> Waiting:
    """As JSON the data takes a third of the memory."""
    caller, data = decision.caller, json_text.dumps(stored(decision))
    return Waiting(decision.at, number, caller.request_id, caller.id, current_id(), data, decision.request)
