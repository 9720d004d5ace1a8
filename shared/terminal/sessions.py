"""All terminal sessions, and the commands without one: how many there may be, whose they are, and when they end."""

import asyncio
import ctypes
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from secrets import token_hex
from typing import Self

import anyio

from shared.cluster.nodes import Nodes
from shared.domain.nodes import tag_of
from shared.domain.targets import LocalTarget, SshTarget, Target, TelnetTarget
from shared.errors import InvalidInput, NotFound, RateLimited, invalid_field
from shared.security.redaction import Redactor
from shared.terminal import environment
from shared.terminal.channel import Channel, Command, LocalOpener, Opener, OutputListener, Seat, SshOpener
from shared.terminal.execs import Execs, shutting_down
from shared.terminal.expiry import Expiry
from shared.terminal.kept_outputs import KeptOutputs
from shared.terminal.recordings import Recordings
from shared.terminal.scrollback import Scrollback
from shared.terminal.session import Session
from shared.terminal.slots import OWN, Slots
from shared.terminal.ssh.pending_logins import PendingLogins

FREED_BYTES = 4 * 1024 * 1024
"""Scrollback of closed sessions after which memory is given back to the system; glibc's malloc keeps it otherwise."""

FREED_SECONDS = 1.0
"""Time for the readers of closed sessions to let go of them, and for other sessions to close too."""

TOO_MANY_SESSIONS = (
    "terminal sessions are open and in use; close one that is no longer needed (DELETE /v1/terminal/{id}, close_terminal), "
    "then open this one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLimits:
    """Figures of all sessions; times are seconds, sizes bytes."""

    sessions: int = 32
    sessions_per_caller: int = 8
    idle_timeout: float = 1800
    command_timeout: float = 30
    max_command_timeout: float = 600
    output_bytes: int = 1024 * 1024
    scrollback_bytes: int = 1024 * 1024


class Sessions(AbstractAsyncContextManager["Sessions"]):
    """Opens, finds and ends sessions. Entering it starts the watch for idle ones; leaving it ends them all."""

    def __init__(
        self,
        limits: TerminalLimits,
        *,
        local: LocalOpener,
        ssh: SshOpener,
        telnet: Opener[TelnetTarget],
        recordings: Recordings,
        outputs: KeptOutputs,
        redactor: Redactor,
        logins: PendingLogins,
        nodes: Nodes | None = None,
    ) -> None:
        self.limits = limits
        self._nodes = nodes
        self._local = local
        self._ssh = ssh
        self._telnet = telnet
        self.recordings = recordings
        self.outputs = outputs
        self._redactor = redactor
        self.logins = logins
        self._began = time.time_ns() // 1_000_000
        self._sessions: dict[str, Session] = {}
        self._expiry = Expiry(limits.idle_timeout)
        self._open_slots = Slots(limits.sessions, limits.sessions_per_caller)
        self.execs = Execs(Slots(limits.sessions, limits.sessions_per_caller), local=local, ssh=ssh, outputs=outputs)
        if nodes is not None:
            nodes.watch(self._open_slots.taken)
        self._passing: set[Session] = set()
        self._opening: set[asyncio.Task[Session]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._freed = 0
        self._giving_back: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watch = asyncio.get_running_loop().create_task(self._expiry.watch(self._sessions, self._end))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        with anyio.CancelScope(shield=True):
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.wait({self._watch})
            if self._opening:
                await asyncio.wait(self._opening)
            self.stop()  # what has opened in this moment
            if self._closing:
                await asyncio.wait(self._closing)
            await self.execs.ended()
            await self.logins.aclose()
            await self._local.aclose()
            self.outputs.close()
        if self._giving_back is not None:
            self._giving_back.cancel()

    @property
    def running(self) -> int:
        """How many commands run that a request or the background started, in sessions or without one."""
        return len(self.execs) + sum(session.runs_command for session in self._sessions.values())

    def announce_end(self, seconds: float) -> None:
        """Say on every terminal that the gateway shuts down, in so many seconds at most."""
        for session in self._sessions.values():
            session.say(f"the gateway shuts down; this terminal ends in {seconds:.0f} seconds at most")

    def stop(self) -> None:
        """Begin to end everything, and take in nothing more."""
        if not self._closed:
            for opening in self._opening:
                opening.cancel()
        self._closed = True
        self.execs.stop()
        for session in list(self._sessions.values()):
            self._end(session, shutting_down=True)
        for session in self._passing:
            self._keep(session.end(shutting_down=True))

    def __len__(self) -> int:
        """How many sessions are open, whoever's they are."""
        return len(self._sessions)

    async def open(
        self,
        owner: str,
        target: Target,
        *,
        cols: int = 80,
        rows: int = 24,
        title: str = "",
        encoding: str = "utf-8",
        record: bool = False,
    ) -> Session:
        """Open a session. Raises RateLimited, TerminalError, HostKeyChanged, InvalidInput, Forbidden."""
        recorded = self.recordings.wanted(record)
        await self._take_place(owner)
        try:
            seat = Seat(Scrollback(self.limits.scrollback_bytes, encoding), cols, rows)
            session = await self._connect(owner, target, seat, title=title, recorded=recorded)
        except BaseException:
            self._open_slots.give_back(owner)
            raise
        self._passing.discard(session)
        self._sessions[session.id] = session
        return session

    def get(self, owner: str, session_id: str) -> Session:
        """A session of this owner. Raises NotFound, also for those of others."""
        session = self._sessions.get(session_id)
        if session is None or session.owner != owner:
            raise self._expiry.refusal(owner, session_id) or self._unknown(session_id)
        return session

    def _unknown(self, session_id: str) -> NotFound:
        why = "it may have been closed, or have ended and made room for another"
        if not _may_be_of(session_id, self._nodes, self._began):
            why = "if it was open, it has ended with the process of the gateway that had it"
        return NotFound(f"There is no such terminal session; {why}. Open a new one.", code="session_not_found")

    def named(self, session_id: str) -> Session | None:
        """A session of any owner."""
        return self._sessions.get(session_id)

    def list(self, owner: str | None) -> "list[Session]":
        """The sessions of this owner, or of all, oldest first."""
        return [session for session in self._sessions.values() if owner in (None, session.owner)]

    async def close(self, owner: str, session_id: str, *, by: str | None = None) -> None:
        """End a session; nothing of it is left when this returns. Raises NotFound.

        `by` names the administrator who closes it for another caller: later requests of its owner are told so.
        """
        session = self.get(owner, session_id)
        if by is not None:
            self._expiry.closed_by(by, session)
        await asyncio.shield(self._end(session))

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """Begin to end every session whose owner is gone; one that opens in this moment is seen the next time."""
        self.outputs.end_of(gone)
        self.logins.end_of(gone)
        self.execs.end_of(gone)
        for session in [found for found in self._sessions.values() if gone(found.owner)]:
            self._end(session)
        for session in [found for found in self._passing if gone(found.owner)]:
            self._keep(session.end())

    def command(
        self,
        text: str,
        *,
        timeout: float | None = None,
        max_output_bytes: int | None = None,
        stdin: str | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        on_output: OutputListener | None = None,
        timeout_field: str = "timeoutMs",
        keep_from: int | None = None,
        sudo: bool = False,
    ) -> Command:
        """A command within the limits. Raises InvalidInput that names the field."""
        limits = self.limits
        if timeout is not None and timeout > limits.max_command_timeout:
            unit = 1000 if timeout_field.endswith("Ms") else 1
            raise _too_much(timeout_field, limits.max_command_timeout * unit)
        if max_output_bytes is not None and max_output_bytes > limits.output_bytes:
            raise _too_much("maxOutputBytes", limits.output_bytes)
        return Command(
            text=text,
            timeout=limits.command_timeout if timeout is None else timeout,
            max_output_bytes=max_output_bytes or limits.output_bytes,
            stdin=None if stdin is None else stdin.encode(),
            cwd=cwd,
            env={**(env or {}), **environment.of_trace()},
            on_output=on_output,
            keep_from=keep_from,
            sudo=sudo,
        )

    async def _connect(
        self, owner: str, target: Target, seat: Seat, *, title: str = "", recorded: bool = False
    ) -> Session:
        """A session that is passing, until it is listed or ended. Shutting down gives it up, and waits for that."""
        opening = asyncio.get_running_loop().create_task(
            self._opened(owner, target, seat, title=title, recorded=recorded)
        )
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            session = await opening
        except asyncio.CancelledError:
            if not opening.cancelled() and opening.exception() is None:  # it opened in the moment of the cancellation
                self._pass(opening.result())
            if self._closed and not _is_cancelled():
                raise shutting_down() from None
            raise
        if self._closed:
            await asyncio.shield(self._pass(session))
            raise shutting_down()
        return session

    async def _opened(self, owner: str, target: Target, seat: Seat, *, title: str, recorded: bool) -> Session:
        session_id = new_id("term", self._nodes)
        channel = await self._channel(owner, target, seat)
        if recorded:
            channel = await self.recordings.record(channel, seat, session_id=session_id, owner=owner, target=target)
        session = Session(
            session_id, owner, target, seat, channel, self.outputs, redactor=self._redactor, title=title or None
        )
        self._passing.add(session)  # here, so that no shutdown comes between
        return session

    async def _take_place(self, owner: str) -> None:
        """A place for one more session; where all are taken, that of one that has ended. Raises RateLimited."""
        while True:
            try:
                await self._take_free_place(owner)
                return
            except RateLimited as error:
                ended = self._ended_longest(owner, only_own=error.details == OWN)
                if ended is None:
                    raise
            await asyncio.shield(self._end(ended))

    async def _take_free_place(self, owner: str) -> None:
        """One that is free in this process and, where there are others, in all of them together. Raises RateLimited."""
        slots = self._open_slots
        slots.take(owner, "too_many_sessions", TOO_MANY_SESSIONS)
        if self._nodes is None:
            return
        try:
            await self._nodes.allow_one_more(
                owner,
                total=self.limits.sessions,
                per_owner=self.limits.sessions_per_caller,
                error=lambda own: slots.refusal("too_many_sessions", TOO_MANY_SESSIONS, own=own),
            )
        except BaseException:
            slots.give_back(owner)
            raise

    def _ended_longest(self, owner: str, *, only_own: bool) -> Session | None:
        """Of the sessions that have ended and that nobody uses, the one left alone longest; the owner's own first."""
        ended = [session for session in self._sessions.values() if not session.connected and not session.in_use]
        own = [session for session in ended if session.owner == owner]
        return max(own if only_own else own or ended, key=lambda session: session.idle_seconds, default=None)

    def _pass(self, session: Session) -> asyncio.Task[None]:
        """Begin to end a session that was never listed."""
        ending = self._keep(session.end())
        ending.add_done_callback(lambda _: self._passing.discard(session))
        return ending

    async def _channel(self, owner: str, target: Target, seat: Seat) -> Channel:
        if isinstance(target, LocalTarget):
            return await self._local.open(target, seat, owner=owner)
        if isinstance(target, SshTarget):
            return await self._ssh.open(target, seat, owner=owner)
        return await self._telnet.open(target, seat)

    def _end(self, session: Session, *, shutting_down: bool = False) -> asyncio.Task[None]:
        """Begin to end a session; from here on nobody finds it, and its place is free once it has gone."""
        del self._sessions[session.id]
        ending = self._keep(session.end(shutting_down=shutting_down))
        ending.add_done_callback(lambda _: self._give_back(session))
        return ending

    def _give_back(self, session: Session) -> None:
        """Free its place at once, and its memory with that of others."""
        self._freed += session.kept_bytes
        if self._freed >= FREED_BYTES and self._giving_back is None:
            self._giving_back = asyncio.get_running_loop().call_later(FREED_SECONDS, self._give_memory_back)
        self._open_slots.give_back(session.owner)
        if self._nodes is not None:
            self._nodes.changed()

    def _give_memory_back(self) -> None:
        """Have malloc return what is free to the system (malloc_trim(3)): 6 ms for 50 MB."""
        self._freed, self._giving_back = 0, None
        if sys.platform == "linux":
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
            if trim is not None:
                trim(0)

    def _keep(self, ending: asyncio.Task[None]) -> asyncio.Task[None]:
        self._closing.add(ending)
        ending.add_done_callback(self._closing.discard)
        return ending


def new_id(kind: str, nodes: Nodes | None) -> str:
    """An id that nobody can guess. Where there are other processes it says which one has what it names."""
    node = "" if nodes is None else nodes.id
    return f"{kind}-{time.time_ns() // 1_000_000}-{node}{token_hex(16 - len(node) // 2)}"


def _may_be_of(session_id: str, nodes: Nodes | None, began: int) -> bool:
    """Whether this process, which began at that millisecond, can have made the id."""
    if nodes is not None and not nodes.alone:
        return tag_of(session_id) == nodes.id
    made = session_id.split("-")[1:2]
    return not (made and made[0].isascii() and made[0].isdigit() and len(made[0]) < 16 and int(made[0]) < began)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _too_much(field: str, most: float) -> InvalidInput:
    return invalid_field(field, f"must be at most {most:.0f}")
