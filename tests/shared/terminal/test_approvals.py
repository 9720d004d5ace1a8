"""Leave for commands: asked for once, given by somebody else, used once, for exactly what it was given for."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.identity import LOCAL, SCOPES, Caller
from shared.errors import Conflict, Forbidden, NotFound, RateLimited
from shared.storage import approval_rows
from shared.storage.database import Database
from shared.terminal.approvals import APPROVED, MAX_PER_CALLER, PENDING, Approvals, required
from shared.terminal.policy.rules import Verdict
from tests.support.clock import Clock
from tests.support.databases import another_process_after

AGENT = Caller(id="key-1", kind="key", name="agent", scopes=frozenset({"terminal"}))
ADMIN = Caller(id="user-1", kind="user", name="admin", scopes=SCOPES, role="admin")
VERDICT = Verdict(action="confirm", policy="p", rule=2, reason="it publishes", ask=("client", "queue"))


def facts(**changes: Any) -> dict[str, Any]:
    return {"command": "git push", "place": "type:local", "session_id": None, "cwd": "/x", "stdin": None, **changes}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(database: Database, clock: Clock) -> Approvals:
    return Approvals(database, clock)


async def test_leave_is_given_once_and_used_once(approvals: Approvals) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    assert (asked.status, asked.reason, asked.policy, asked.rule) == ("pending", "it publishes", "p", 2)
    assert [one.id for one in await approvals.queue()] == [asked.id]
    assert await approvals.use(AGENT, asked.id, facts()) is None
    decided = await approvals.decide(ADMIN, asked.id, "approve")
    assert (decided.status, decided.decided_by) == ("approved", "user-1")
    used = await approvals.use(AGENT, asked.id, facts())
    assert used is not None
    assert used.decided_by == "user-1"
    with pytest.raises(NotFound):
        await approvals.use(AGENT, asked.id, facts())
    assert await approvals.queue() == []


async def test_of_many_that_use_it_at_once_one_may(approvals: Approvals) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    await approvals.decide(ADMIN, asked.id, "approve")
    found = await asyncio.gather(*(approvals.use(AGENT, asked.id, facts()) for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in found) == 1


async def test_of_two_processes_that_take_it_at_once_one_may(
    approvals: Approvals, database: Database, clock: Clock
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    asked = await approvals.ask(AGENT, VERDICT, facts())
    await approvals.decide(ADMIN, asked.id, "approve")
    with another_process_after(database, 1, lambda session: approval_rows.delete(session, asked.id)):
        assert await approvals.take(AGENT, facts()) is None


async def test_asking_again_is_the_same_question(approvals: Approvals) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    assert (await approvals.ask(AGENT, VERDICT, facts())).id == asked.id
    assert (await approvals.ask(AGENT, VERDICT, facts(command="git push -f"))).id != asked.id


@pytest.mark.parametrize("change", [{"command": "git push -f"}, {"cwd": "/y"}, {"place": "type:ssh"}, {"stdin": "y"}])
async def test_leave_is_for_nothing_else(approvals: Approvals, change: dict[str, Any]) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    await approvals.decide(ADMIN, asked.id, "approve")
    with pytest.raises(Conflict) as refused:
        await approvals.use(AGENT, asked.id, facts(**change))
    assert refused.value.code == "approval_mismatch"
    assert await approvals.use(AGENT, asked.id, facts()) is not None


async def test_who_decides_sees_all_that_bears_on_it(approvals: Approvals) -> None:
    long = "y" * 5000
    asked = await approvals.ask(
        AGENT,
        VERDICT,
        facts(command="ls \u202e/ fr- mr\u200b", stdin=long, env={"LD_PRELOAD": "/tmp/x", "A": "secret"}),
    )
    assert asked.command == "ls \\u202e/ fr- mr\\u200b"
    assert (asked.place, asked.cwd, asked.env) == ("type:local", "/x", ["A", "LD_PRELOAD"])
    assert asked.stdin is not None
    assert hashlib.sha256(long.encode()).hexdigest() in asked.stdin
    assert len(asked.stdin) < 1200
    assert "secret" not in asked.model_dump_json()
    assert (await approvals.ask(AGENT, VERDICT, facts(stdin="a\x1b[2K\tb\n"))).stdin == "a\\u001b[2K\tb\n"


async def test_leave_is_for_nobody_else(approvals: Approvals) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    with pytest.raises(NotFound):
        await approvals.use(replace(AGENT, id="key-2"), asked.id, facts())
    with pytest.raises(NotFound):
        await approvals.confirm(replace(AGENT, id="key-2"), asked.id, agreed=True)


async def test_a_refusal_ends_it(approvals: Approvals) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    await approvals.decide(ADMIN, asked.id, "deny")
    with pytest.raises(Conflict):
        await approvals.decide(ADMIN, asked.id, "approve")
    with pytest.raises(Forbidden) as refused:
        await approvals.use(AGENT, asked.id, facts())
    assert refused.value.code == "approval_denied"


async def test_nobody_decides_their_own_but_the_user_of_this_machine(approvals: Approvals) -> None:
    own = await approvals.ask(ADMIN, VERDICT, facts())
    with pytest.raises(Forbidden) as refused:
        await approvals.decide(ADMIN, own.id, "approve")
    assert refused.value.code == "own_approval"
    here = await approvals.ask(LOCAL, VERDICT, facts())
    assert (await approvals.decide(LOCAL, here.id, "approve")).status == "approved"


async def test_only_those_whom_the_policy_names_decide(approvals: Approvals) -> None:
    by_client = await approvals.ask(AGENT, replace(VERDICT, ask=("client",)), facts())
    with pytest.raises(Forbidden):
        await approvals.decide(ADMIN, by_client.id, "approve")
    assert (await approvals.confirm(AGENT, by_client.id, agreed=True)).status == "approved"
    by_queue = await approvals.ask(AGENT, replace(VERDICT, ask=("queue",)), facts(cwd="/z"))
    with pytest.raises(Forbidden):
        await approvals.confirm(AGENT, by_queue.id, agreed=True)
    assert "MCP client" in required(by_client).message
    assert by_queue.id in required(by_queue).message


async def test_what_nobody_decides_or_uses_expires(approvals: Approvals, clock: Clock) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    clock.advance(seconds=PENDING.total_seconds() + 1)
    with pytest.raises(NotFound):
        await approvals.decide(ADMIN, asked.id, "approve")
    again = await approvals.ask(AGENT, VERDICT, facts())
    assert again.id != asked.id
    await approvals.decide(ADMIN, again.id, "approve")
    clock.advance(seconds=APPROVED.total_seconds() + 1)
    with pytest.raises(NotFound):
        await approvals.use(AGENT, again.id, facts())
    assert await approvals.queue() == []


async def test_a_flood_of_questions_is_bounded(approvals: Approvals) -> None:
    for number in range(MAX_PER_CALLER):
        await approvals.ask(AGENT, VERDICT, facts(command=f"git push {number}"))
    with pytest.raises(RateLimited) as refused:
        await approvals.ask(AGENT, VERDICT, facts(command="git push more"))
    assert refused.value.code == "too_many_approvals"
    assert (await approvals.ask(ADMIN, VERDICT, facts())).status == "pending"


async def test_waiting_for_a_decision_never_gets_in_the_way_of_one(
    approvals: Approvals, database: Database, clock: Clock
) -> None:
    other = Approvals(database, clock)
    for _ in range(30):
        asked = await approvals.ask(AGENT, VERDICT, facts())
        looks = [approvals.decided(AGENT, asked.id, seconds=5) for _ in range(3)]
        waiting = asyncio.gather(*looks)
        await asyncio.sleep(0)
        await other.decide(ADMIN, asked.id, "approve")
        assert await waiting == [True, True, True]
        await approvals.use(AGENT, asked.id, facts())


async def test_a_decision_in_another_process_is_waited_for(
    approvals: Approvals, database: Database, clock: Clock
) -> None:
    asked = await approvals.ask(AGENT, VERDICT, facts())
    assert await approvals.decided(AGENT, asked.id, seconds=0.01) is False
    waiting = asyncio.ensure_future(approvals.decided(AGENT, asked.id, seconds=5))
    await Approvals(database, clock).decide(ADMIN, asked.id, "deny")
    assert await waiting is True
