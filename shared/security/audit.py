"""The audit trail: what was done by whom, each entry chained to the one before by its hash."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from sqlmodel import Session

from shared.domain.audit import AuditCheck, AuditEntry, AuditPage, AuditQuery
from shared.domain.identity import Caller
from shared.domain.trace import current_id
from shared.errors import GatewayError, Unavailable
from shared.security.audit_chain import (
    Checkpoint,
    Checkpoints,
    after,
    broken,
    canonical,
    checkpoint_of,
    ended,
    fault,
    link,
)
from shared.security.causes import Cause, Causes
from shared.security.redaction import Redactor
from shared.security.secrets_box import SecretsBox
from shared.storage import audit_rows
from shared.storage.audit_rows import Queued
from shared.storage.batching import Batcher
from shared.storage.database import OUTCOME_UNKNOWN, Database
from shared.storage.row_ids import row_ids
from shared.structured import get_logger

log = get_logger(__name__)

GAP = "audit_gap"
PRUNED = "audit_pruned"
"""The action of the entry that tells how many entries were deleted for their age."""
GATEWAY = Caller(id="gateway", kind="local", name="gateway", scopes=frozenset())
LARGEST_DETAILS = 16_000
CHECKED_AT_ONCE = 1000
SEGMENT = 1000
"""Entries that are deleted together."""
UNSIGNED = "the checkpoint of the deleted entries before it was not signed with this SECRETS_KEY"
NOTES = 20_000
"""Notes that may wait for the database; further ones are counted as lost."""
NOTES_AT_ONCE = 500
WHOLE_NOTES = 500
"""While more notes than this wait, a further one is finished at once: until then it holds what its digests are of."""
UNFINISHED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What working out details raises for data that it does not expect."""
NOTE_SECONDS = 0.5
AWAY_SECONDS = 2.0
"""How long notes wait after the database did not take them."""

Details = Callable[[], Mapping[str, Any]]
"""Works out the details of a note, in the thread that writes it: digests take some time."""


class _Note(NamedTuple):
    """An entry that is written soon: what it is made of."""

    row_id: int
    at: datetime
    caller: Caller
    action: str
    outcome: str
    details: Details
    cause: Cause | None
    trace_id: str


class AuditTrail:
    """Entries are on disk before `record` returns, and redacted before they are written.

    `note` is for what must not wait for the disk, as chats: it queues an entry that is on disk half a second later, and
    before every entry that is recorded after it. When the process is killed the notes of that half second are lost. An
    entry that can never be written is dropped and counted in `dropped`. `chats` says whether chats are noted, `causes`
    knows those of this process, `box` signs for deleted entries.

    Each entry is written once: where the answer to a COMMIT was lost, those that are stored are skipped when it is
    repeated.

    `require` comes before an action that must leave a trace: while entries can't be written, it refuses. An action
    whose entry fails afterwards has happened; the operator's log then holds the entry, and the trail, once it can be
    written again, says first of all how many are missing.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        redactor: Redactor,
        *,
        chats: bool = True,
        box: SecretsBox | None = None,
    ) -> None:
        self.chats = chats
        self.causes = Causes()
        self.dropped = 0
        self._database = database
        self._clock = clock
        self._redactor = redactor
        self._checkpoints = Checkpoints(box)
        self._lost = 0
        self._doubtful: dict[int, int] = {}
        self._again = False
        self._row_ids = row_ids()
        self._notes: deque[_Note] = deque()
        self._noted = asyncio.Event()
        self._batcher: Batcher[Queued | None, BaseException | None] = Batcher(self._write)

    @property
    def queued(self) -> int:
        """How many notes wait for the database."""
        return len(self._notes)

    @property
    def lost(self) -> int:
        """How many entries are missing, and not yet told in the trail."""
        return self._lost

    async def require(self) -> None:
        """Raises Unavailable when the trail cannot be written. Costs nothing while it can."""
        if self._doubtful:
            await self._look_for_doubtful()
        if self._lost:
            lost, self._lost = self._lost, 0
            await self.record(GATEWAY, GAP, {"lost": lost}, "failed")
        elif not self._database.writable and not await self._database.try_writing():
            raise Unavailable("The audit trail cannot be written, so this is refused; check the database, then retry.")

    async def record(self, caller: Caller, action: str, details: Mapping[str, Any], outcome: str) -> None:
        """Append an entry; even when the task is cancelled meanwhile. Raises Unavailable."""
        error = await self._batcher.put(Queued(next(self._row_ids), self._entry(caller, action, details, outcome)))
        if error is not None:
            raise error

    def note(
        self,
        caller: Caller,
        action: str,
        outcome: str,
        *,
        details: Details,
        trace_id: str = "",
        cause: Cause | None = None,
    ) -> None:
        """Queue an entry. Never waits."""
        if len(self._notes) >= NOTES:
            self._lost += 1
            return
        note = _Note(next(self._row_ids), self._clock(), caller, action, outcome, details, cause, trace_id)
        self._notes.append(note if len(self._notes) < WHOLE_NOTES else _finished(note))
        self._noted.set()

    async def run(self) -> None:
        """Write what is noted, for ever."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self.flush()
            except GatewayError as error:
                log.warning(
                    "audit entries wait for the database", queued=len(self._notes), reason=error.operator_detail
                )
                await asyncio.sleep(AWAY_SECONDS)

    async def flush(self) -> None:
        """Write everything noted so far. Raises Unavailable and keeps it when the database is away."""
        for _ in range(0, len(self._notes), NOTES_AT_ONCE):
            error = await self._batcher.put(None)
            if error is not None:
                raise error

    async def query(self, query: AuditQuery) -> AuditPage:
        """The entries asked for, newest first. Raises Unavailable."""
        await self.flush()
        found = await self._database.read(lambda session: audit_rows.search(session, query))
        entries = list(found[: query.limit])
        return AuditPage(entries=entries, next_cursor=entries[-1].sequence if len(found) > query.limit else None)

    async def story(self, trace_id: str, *, caller: str | None, limit: int) -> Sequence[AuditEntry]:
        """The entries of a trace and of what they are linked to, oldest first; a caller's own. Raises Unavailable."""
        await self.flush()
        return await self._database.read(
            lambda session: audit_rows.story(session, trace_id, caller=caller, limit=limit)
        )

    async def verify(self) -> AuditCheck:
        """Walk the whole chain, from the checkpoint that stands for deleted entries. Raises Unavailable."""
        await self.flush()
        base = place = Checkpoint()
        while True:
            head, stored, entries = await self._page(place.sequence)
            if stored is not None and stored["sequence"] > place.sequence:  # deleted since, or before
                found = self._checkpoints.opened(stored)
                if found is None:
                    return broken(base, place, UNSIGNED)
                base = place = found
                continue
            for entry in entries:
                reason = fault(entry, place)
                if reason:
                    return broken(base, place, reason)
                place = after(entry)
            if not entries:
                return ended(base, place, head)

    async def _page(self, after: int) -> audit_rows.Page:
        return await self._database.read(lambda session: audit_rows.page(session, after, CHECKED_AT_ONCE))

    def prune(self, session: Session, *, before: datetime) -> int:
        """Delete the oldest segment if all of it is older, and sign a checkpoint for it; returns how many entries.

        A segment with a fault stays, and with it all that follows.
        """
        _, stored, _ = audit_rows.page(session, 0, 0)
        base = Checkpoint() if stored is None else self._checkpoints.opened(stored)
        if base is None or not audit_rows.is_older(session, base.sequence + SEGMENT, before):
            return 0
        head, _, entries = audit_rows.page(session, base.sequence, SEGMENT)
        checkpoint = checkpoint_of(entries, base)
        if checkpoint is None:
            log.error("old audit entries are kept: the chain is broken; run 'mcp-gateway audit verify'")
            return 0
        if len(entries) < SEGMENT or checkpoint.sequence >= head[0] or any(entry.at >= before for entry in entries):
            return 0
        audit_rows.cut(session, checkpoint.sequence, lambda: self._checkpoints.sealed(checkpoint))
        return len(entries)

    async def aclose(self) -> None:
        """Write what is noted, and wait for what is being written."""
        try:
            await self.flush()
        except GatewayError as error:
            log.error("audit entries are lost", entries=len(self._notes), reason=error.operator_detail)
        await self._batcher.drained()

    async def _write(self, entries: Sequence[Queued | None]) -> Sequence[BaseException | None]:
        """Write notes and entries as one; where the database refuses that, each by itself, so that none holds up others.

        Failures are counted here and not where they are waited for: that task may be cancelled meanwhile.
        """
        notes = list(islice(self._notes, NOTES_AT_ONCE))
        recorded = [entry for entry in entries if entry is not None]
        error = await self._failure(notes, recorded) if notes or recorded else None
        if error is None or isinstance(error, Unavailable):
            for _ in notes if error is None else ():
                self._let_go()
            return [self._told(entry, error) for entry in entries]
        for note in notes:
            error = await self._failure([note], ())
            if isinstance(error, Unavailable):
                return [self._told(entry, error) for entry in entries]
            if error is not None:
                self._drop(note, error)
            self._let_go()
        return [None if entry is None else self._told(entry, await self._failure((), [entry])) for entry in entries]

    async def _failure(self, notes: Sequence[_Note], recorded: Sequence[Queued]) -> BaseException | None:
        """Append them to the chain; why that failed, if it did."""

        def work(session: Session) -> None:
            queued = [*(Queued(note.row_id, self._of_note(note)) for note in notes), *recorded]
            audit_rows.append(session, queued, link, again=self._again)

        (error,) = await asyncio.gather(self._database.run(work), return_exceptions=True)
        if isinstance(error, GatewayError) and error.code == OUTCOME_UNKNOWN:
            self._again = True
        return error

    def _let_go(self) -> None:
        """The first note is written or dropped."""
        self._notes.popleft()
        if not self._notes:
            self._again = False
            self._noted.clear()

    def _drop(self, note: _Note, error: BaseException) -> None:
        """Count a note that can never be written; the trail says later that it is missing."""
        self.dropped += 1
        self._lost += 1
        log.error(
            "an audit entry can never be written and is dropped",
            action=note.action,
            caller=note.caller.id,
            request_id=note.caller.request_id,
            reason=error.operator_detail if isinstance(error, GatewayError) else repr(error),
        )

    def _told(self, entry: Queued | None, error: BaseException | None) -> BaseException | None:
        """What is returned for an entry. One that could not be written is told by the log, and its number by the trail as
        soon as it can be.
        """
        if entry is None or error is None:
            return error
        missing = entry.entry.details["lost"] if entry.entry.action == GAP else 1
        if isinstance(error, GatewayError) and error.code == OUTCOME_UNKNOWN:
            self._doubtful[entry.row_id] = missing
        else:
            self._lost += missing
        if entry.entry.action != GAP:
            log.error(
                "an audit entry could not be written",
                entry=entry.entry.model_dump(mode="json", exclude={"sequence", "previous_hash", "hash"}),
                reason=error.operator_detail if isinstance(error, GatewayError) else repr(error),
            )
        return error

    async def _look_for_doubtful(self) -> None:
        """Count those as lost that are not stored. Raises Unavailable."""
        doubtful = dict(self._doubtful)
        found = await self._database.read(lambda session: audit_rows.stored(session, doubtful))
        for row_id in doubtful:
            missing = self._doubtful.pop(row_id, 0)
            self._lost += 0 if row_id in found else missing

    def _of_note(self, note: _Note) -> AuditEntry:
        return self._made(note.at, note.caller, note.action, note.details(), note.outcome, note.cause, note.trace_id)

    def _entry(self, caller: Caller, action: str, details: Mapping[str, Any], outcome: str) -> AuditEntry:
        trace_id = current_id()
        cause = self.causes.of(caller, trace_id)
        return self._made(self._clock(), caller, action, details, outcome, cause, trace_id)

    def _made(
        self,
        at: datetime,
        caller: Caller,
        action: str,
        details: Mapping[str, Any],
        outcome: str,
        cause: Cause | None,
        trace_id: str,
    ) -> AuditEntry:
        def short(text: str, length: int) -> str:
            return self._redactor.line(text)[:length]

        if cause is not None:
            details = {**details, "causeBy": cause.by}
        return AuditEntry(
            sequence=0,
            at=at.replace(microsecond=at.microsecond // 1000 * 1000),
            caller=short(caller.id, 100),
            address=short(caller.address, 64),
            request_id=short(caller.request_id, 100),
            action=short(action, 100),
            outcome=short(outcome, 60),
            details=self._details(details),
            trace_id=trace_id,
            cause_request_id="" if cause is None else short(cause.request_id, 100),
        )

    def _details(self, details: Mapping[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = self._redactor.data(details)
        text = canonical(plain)
        if len(text) <= LARGEST_DETAILS:
            return plain
        return {"cut": len(text), "text": text[:LARGEST_DETAILS]}


def _finished(note: _Note) -> _Note:
    """The same, holding nothing but its details; one that cannot be finished stays as it is until it is written."""
    try:
        details = note.details()
    except UNFINISHED:
        return note
    return note._replace(details=lambda: details)
