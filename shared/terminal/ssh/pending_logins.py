"""SSH logins that wait for a person's answer, such as a one-time code: kept open until it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.domain.logins import LoginPrompt, PendingLogin
from shared.domain.targets import SshLogin, SshTarget
from shared.errors import Conflict, NotFound, RateLimited, invalid_field
from shared.terminal.visible import visible

if TYPE_CHECKING:
    import asyncssh

ANSWER_SECONDS = 100
"""Time for an answer; sshd ends a login after 120 seconds (LoginGraceTime)."""

READY_SECONDS = 60
"""How long a finished login waits for the request to be sent again."""

MAX_PER_OWNER = 8
MAX_LOGINS = 64
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Question:
    """What a host asks at once, and of which login."""

    login: SshLogin
    instructions: str
    prompts: tuple[LoginPrompt, ...]


Ask = Callable[[Question], Awaitable[Sequence[str]]]
"""Returns the answers, in the order of the prompts, once a person has given them."""


class PendingLogins:
    """Logins of all callers that wait for answers, or for their request to be sent again once they are answered."""

    def __init__(self, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._logins: dict[str, _Login] = {}
        self._ending: set[asyncio.Task[list[asyncssh.SSHClientConnection]]] = set()

    async def connected(
        self, owner: str, target: SshTarget, connect: Callable[[Ask], Awaitable[list[asyncssh.SSHClientConnection]]]
    ) -> list[asyncssh.SSHClientConnection]:
        """The connections to a target: those of the owner's answered login to it, else new ones.

        Raises Conflict (code_required) while the host waits for an answer, RateLimited, and as `connect` does.
        """
        waiting = await self._answered(owner, target)
        if waiting is not None:
            return waiting
        login = _Login(self._new_id(), owner, target)
        work = login.begin(connect)
        try:
            await login.settled()
            if work.done():
                return work.result()
            self._admit(owner)
        except BaseException:
            self._end(login)
            raise
        self._logins[login.id] = login
        self._expect(login, ANSWER_SECONDS)
        raise self._required(login)

    async def answer(self, login_id: str, answers: Sequence[str], *, may: Callable[[str], bool]) -> None:
        """Answer what a login asks and wait for the host; `may` decides by the login's owner.

        Raises NotFound, InvalidInput, Conflict (code_required) when the host asks more, TerminalError when it refuses.
        """
        login = self._logins.get(login_id)
        if login is None or not may(login.owner):
            raise NotFound(
                "There is no such login; it may have expired. Open the session again to be asked again.",
                code="login_not_found",
            )
        if login.question is not None and not login.work.done():
            if len(answers) != len(login.question.prompts):
                raise invalid_field("answers", f"{len(login.question.prompts)} prompts want as many answers")
            login.give(answers)
        await login.settled()
        if login.work.done() and (login.work.cancelled() or login.work.exception() is not None):
            self._end(login)
            login.work.result()
        self._expect(login, ANSWER_SECONDS if login.question is not None else READY_SECONDS)
        if login.question is not None:
            raise self._required(login)

    def waiting(self, may: Callable[[str], bool]) -> list[PendingLogin]:
        """Those that wait for answers, oldest first; `may` decides by the owner."""
        found = [login for login in self._logins.values() if may(login.owner)]
        return [
            self._info(login, login.question) for login in found if login.question is not None and not login.work.done()
        ]

    def end_of(self, gone: Callable[[str], bool]) -> None:
        """End the logins of owners who are gone."""
        for login in [found for found in self._logins.values() if gone(found.owner)]:
            self._end(login)

    async def aclose(self) -> None:
        """End all logins."""
        self.end_of(lambda _: True)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _answered(self, owner: str, target: SshTarget) -> list[asyncssh.SSHClientConnection] | None:
        """The connections of the owner's login to this target, if it is answered. Raises Conflict (code_required)."""
        login = next((one for one in self._logins.values() if one.owner == owner and one.leads_to(target)), None)
        if login is None:
            return None
        await login.settled()
        if login.question is not None and not login.work.done():
            raise self._required(login)
        if self._logins.get(login.id) is not login:  # it has been taken or ended meanwhile
            return None
        if login.broken:
            self._end(login)
            return None
        del self._logins[login.id]
        login.stop_timer()
        return login.work.result()

    def _admit(self, owner: str) -> None:
        own = sum(login.owner == owner for login in self._logins.values())
        if own >= MAX_PER_OWNER or len(self._logins) >= MAX_LOGINS:
            raise RateLimited(
                "Too many SSH logins wait for a code; answer them, or wait until they expire.",
                code="too_many_logins",
                retry_after=ANSWER_SECONDS,
            )

    def _expect(self, login: _Login, seconds: float) -> None:
        """End the login when nothing becomes of it in that time."""
        login.stop_timer()
        login.expires_at = self._clock() + timedelta(seconds=seconds)
        login.timer = asyncio.get_running_loop().call_later(seconds, self._end, login)

    def _end(self, login: _Login) -> None:
        self._logins.pop(login.id, None)
        login.stop_timer()
        login.work.cancel()
        self._ending.add(login.work)
        login.work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[list[asyncssh.SSHClientConnection]]) -> None:
        self._ending.discard(work)
        if not work.cancelled() and work.exception() is None:
            for connection in reversed(work.result()):
                connection.abort()

    def _required(self, login: _Login) -> Conflict:
        """The error that says what is asked and how to answer."""
        assert login.question is not None
        info = self._info(login, login.question)
        asked = "; ".join(f"'{prompt.text}'" for prompt in info.prompts)
        return Conflict(
            f"{info.host}:{info.port} asks {info.username} for more than the stored credentials: {asked}. Answer with "
            f'POST /v1/terminal/{info.id}/answer and the body {{"answers": […]}}, or on the dashboard; then send the same '
            f"request again (over REST with 'loginId').",
            code="code_required",
            details={**info.model_dump(mode="json", by_alias=True, exclude={"id", "caller"}), "loginId": info.id},
        )

    def _info(self, login: _Login, question: Question) -> PendingLogin:
        return PendingLogin(
            id=login.id,
            caller=login.owner,
            host=question.login.host,
            port=question.login.port,
            username=question.login.username,
            instructions=_readable(question.instructions),
            prompts=[LoginPrompt(text=_readable(prompt.text), echo=prompt.echo) for prompt in question.prompts],
            expires_at=login.expires_at or self._clock(),
        )


class _Login:
    """One login. `question` is what the host asks just now."""

    def __init__(self, login_id: str, owner: str, target: SshTarget) -> None:
        self.id = login_id
        self.owner = owner
        self.question: Question | None = None
        self.expires_at: datetime | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._target = target
        self._asked = asyncio.Event()
        self._answers: asyncio.Future[Sequence[str]] | None = None

    def begin(
        self, connect: Callable[[Ask], Awaitable[list[asyncssh.SSHClientConnection]]]
    ) -> asyncio.Task[list[asyncssh.SSHClientConnection]]:
        """Begin to connect."""

        async def work() -> list[asyncssh.SSHClientConnection]:
            return await connect(self._ask)

        self.work = asyncio.get_running_loop().create_task(work())
        return self.work

    def leads_to(self, target: SshTarget) -> bool:
        """Whether this is a login to that target, with the same credentials, on the same way."""
        own = self._target
        return (own.login, own.jumps, own.known_hosts) == (target.login, target.jumps, target.known_hosts)

    @property
    def broken(self) -> bool:
        """Whether it has failed, or the host has closed it."""
        work = self.work
        return work.cancelled() or work.exception() is not None or any(hop.is_closed() for hop in work.result())

    def give(self, answers: Sequence[str]) -> None:
        """Answer what is asked."""
        assert self._answers is not None
        self.question = None
        self._asked.clear()
        if not self._answers.done():
            self._answers.set_result(answers)

    async def settled(self) -> None:
        """Wait until it asks something or has come to its end."""
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({self.work, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()

    def stop_timer(self) -> None:
        """Let it last."""
        if self.timer is not None:
            self.timer.cancel()

    async def _ask(self, question: Question) -> Sequence[str]:
        self._answers = asyncio.get_running_loop().create_future()
        self.question = question
        self._asked.set()
        return await self._answers


def _readable(text: str) -> str:
    return visible(text.strip())[:LONGEST_TEXT]
