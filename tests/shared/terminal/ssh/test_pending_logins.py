"""Logins that wait for an answer: whose they are, how many there may be, and when they end."""

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr

from shared.domain.logins import LoginPrompt
from shared.domain.targets import SshLogin, SshTarget
from shared.errors import Conflict, NotFound, RateLimited
from shared.terminal.ssh import pending_logins
from shared.terminal.ssh.pending_logins import MAX_PER_OWNER, Ask, PendingLogins, Question


class Hop:
    """A connection that is there until it is aborted."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def abort(self) -> None:
        self.gone.set()

    def is_closed(self) -> bool:
        return self.gone.is_set()


def target(host: str = "h", password: str = "p") -> SshTarget:
    return SshTarget(login=SshLogin(host=host, username="me", password=SecretStr(password)))


def logins() -> PendingLogins:
    numbers = count()
    return PendingLogins(lambda: datetime.now(UTC), lambda: f"login-{next(numbers)}")


def asks(hop: Hop, *texts: str, said: list[str] | None = None) -> Any:
    """What connects once each of these is answered."""

    async def connect(ask: Ask) -> Any:
        for text in texts:
            question = Question(target().login, "", (LoginPrompt(text=text, echo=False),))
            answers = await ask(question)
            if said is not None:
                said.extend(answers)
        return [hop]

    return connect


async def code_required(pending: PendingLogins, wanted: SshTarget, connect: Any, owner: str = "me") -> str:
    with pytest.raises(Conflict) as refused:
        await pending.connected(owner, wanted, connect)
    assert refused.value.code == "code_required"
    assert isinstance(refused.value.details, dict)
    return str(refused.value.details["loginId"])


def mine(owner: str) -> bool:
    return owner == "me"


async def test_questions_come_one_after_the_other() -> None:
    pending, hop, said = logins(), Hop(), list[str]()
    login = await code_required(pending, target(), asks(hop, "one", "two", said=said))
    with pytest.raises(Conflict) as more:
        await pending.answer(login, ["1"], may=mine)
    assert "'two'" in more.value.message
    await pending.answer(login, ["2"], may=mine)
    assert await pending.connected("me", target(), asks(Hop(), "again")) == [hop]
    assert said == ["1", "2"]
    await code_required(pending, target(), asks(Hop(), "again"))
    await pending.aclose()
    assert not hop.is_closed()


@pytest.mark.parametrize("other", [("you", target()), ("me", target(password="q")), ("me", target("elsewhere"))])
async def test_an_answered_login_is_for_the_same_owner_and_target(other: tuple[str, SshTarget]) -> None:
    pending, hop, another = logins(), Hop(), Hop()
    login = await code_required(pending, target(), asks(hop, "one"))
    with pytest.raises(NotFound):
        await pending.answer(login, ["1"], may=lambda owner: owner == "you")
    await pending.answer(login, ["1"], may=mine)
    assert await pending.connected(other[0], other[1], asks(another)) == [another]
    await pending.aclose()
    assert hop.is_closed()


async def test_logins_of_one_owner_are_bounded() -> None:
    pending = logins()
    for number in range(MAX_PER_OWNER):
        await code_required(pending, target(f"h{number}"), asks(Hop(), "one"))
    with pytest.raises(RateLimited):
        await pending.connected("me", target("more"), asks(Hop(), "one"))
    await code_required(pending, target(), asks(Hop(), "one"), owner="you")
    assert len(pending.waiting(mine)) == MAX_PER_OWNER
    pending.end_of(mine)
    assert pending.waiting(mine) == []
    await pending.aclose()


async def test_what_nobody_answers_or_takes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_logins, "READY_SECONDS", 0)
    pending, hop = logins(), Hop()
    login = await code_required(pending, target(), asks(hop, "one"))
    await pending.answer(login, ["1"], may=mine)
    await asyncio.wait_for(hop.gone.wait(), 5)
    monkeypatch.setattr(pending_logins, "ANSWER_SECONDS", 0)
    ended = asyncio.Event()

    async def connect(ask: Ask) -> Any:
        try:
            return await ask(Question(target().login, "", (LoginPrompt(text="one", echo=False),)))
        finally:
            ended.set()

    login = await code_required(pending, target(), connect)
    await asyncio.wait_for(ended.wait(), 5)
    with pytest.raises(NotFound):
        await pending.answer(login, ["1"], may=mine)
    await pending.aclose()


async def test_a_request_that_is_given_up_ends_its_login() -> None:
    pending, begun, ended = logins(), asyncio.Event(), asyncio.Event()

    async def connect(_: Ask) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    request = asyncio.ensure_future(pending.connected("me", target(), connect))
    await begun.wait()
    request.cancel()
    await asyncio.wait({request})
    await asyncio.wait_for(ended.wait(), 5)
    await pending.aclose()


async def test_what_a_host_asks_is_made_readable() -> None:
    pending = logins()
    login = await code_required(pending, target(), asks(Hop(), "  code\u202e\x1b[2J: "))
    (waiting,) = pending.waiting(mine)
    assert waiting.id == login
    assert waiting.prompts[0].text == "code\\u202e\\u001b[2J:"
    await pending.aclose()
