"""The end of sessions that nobody has used for too long, and what callers are told of sessions that others have ended."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.wire import iso
from shared.errors import NotFound
from shared.terminal.session import Session
from shared.terminal.uses import now
from shared.terminal.visible import visible

MOST_REMEMBERED = 1000
SHORTEST_PAUSE = 0.01


class Expiry:
    """Ends sessions after `limit` seconds without use, and remembers those that it has ended."""

    def __init__(self, limit: float, *, clock: Callable[[], datetime] = now) -> None:
        self._limit = limit
        self._clock = clock
        self._refusals: dict[tuple[str, str], NotFound] = {}

    async def watch(self, sessions: Mapping[str, Session], end: Callable[[Session], object]) -> None:
        """End those of the sessions that are idle for too long, until cancelled."""
        while True:
            await asyncio.gather(
                *(self._look(session, sessions, end) for session in sessions.values() if self._is_idle(session))
            )
            longest = max((session.idle_seconds for session in sessions.values()), default=0.0)
            await asyncio.sleep(max(self._limit - longest, SHORTEST_PAUSE))

    def refusal(self, owner: str, session_id: str) -> NotFound | None:
        """The error for a session of this owner that has expired, or that another caller closed; None for others."""
        known = self._refusals.get((owner, session_id))
        return known and NotFound(known.message, code=known.code, details=known.details)

    def closed_by(self, name: str, session: Session) -> None:
        """Note that an administrator of this name closes the session of another caller."""
        when = iso(self._clock())
        self._remember(
            session,
            NotFound(
                f"The administrator {visible(name)} closed this terminal session at {when}. Open a new one if you need it.",
                code="session_closed",
                details={"closedAt": when, "closedBy": name},
            ),
        )

    def _expires(self, session: Session) -> None:
        when = iso(self._clock())
        self._remember(
            session,
            NotFound(
                f"This terminal session expired at {when}: for {self._limit:.0f} seconds (TERMINAL_IDLE_TIMEOUT) nobody "
                "used it, it showed nothing new, and nothing ran in it. Open a new one.",
                code="session_expired",
                details={"expiredAt": when, "idleSeconds": self._limit},
            ),
        )

    def _remember(self, session: Session, refusal: NotFound) -> None:
        self._refusals[session.owner, session.id] = refusal
        if len(self._refusals) > MOST_REMEMBERED:
            del self._refusals[next(iter(self._refusals))]

    async def _look(self, session: Session, sessions: Mapping[str, Session], end: Callable[[Session], object]) -> None:
        """End it unless something runs in it. The last look and the end are one step, so that no use comes between."""
        if await session.runs_jobs() or session.id not in sessions or not self._is_idle(session):
            return
        self._expires(session)
        end(session)

    def _is_idle(self, session: Session) -> bool:
        return session.idle_seconds >= self._limit
