"""A second attempt beside a slow one: when, with whom, at what cost, and what becomes of the loser."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import LOCAL
from shared.domain.models import Model
from shared.errors import UpstreamBadRequest, UpstreamError, UpstreamTimeout
from shared.providers.base import Timeouts
from shared.routing.health import FEWEST_TIMES
from shared.routing.hedging import SAVED_UP, HedgeAllowance
from shared.routing.policy import Policy
from tests.support.chat_stack import ChatStack, ask, chat_stack
from tests.support.footprint import busy
from tests.support.waiting import until

HEDGING = Policy(spend_guard=False, hedge=True)
USUAL = 0.02
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[ChatStack]:
    timeouts = Timeouts(connect=2, first_token=2, stall=2, total=2)
    async with chat_stack(tmp_path, HEDGING, timeouts) as found:
        yield found


def known(stack: ChatStack, model: Model, times: int = FEWEST_TIMES) -> None:
    """It has always answered in USUAL seconds so far."""
    for _ in range(times):
        for stream in (False, True):
            stack.health.answered_after(model, USUAL, stream=stream)


async def chat(stack: ChatStack, *, stream: bool, **body: Any) -> str:
    """The name of the model that answers."""
    if not stream:
        return str((await stack.chat(**body)).route.model.api_model_name)
    async with stack.router.stream(LOCAL, ask(stream=True, **body)) as answer:
        async for _ in answer:
            pass
        return str(answer.route.model.api_model_name)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_takes_longer_than_usual_is_asked_of_a_second_model_too(stack: ChatStack, stream: bool) -> None:
    known(stack, await stack.add("scripted-hang", priority=0))
    await stack.add("scripted-n2", priority=1)
    assert await chat(stack, stream=stream) == "scripted-n2"
    async with asyncio.timeout(5):
        await stack.server.left.wait()
    totals = stack.ledger.totals
    assert totals.by_outcome == {"cancelled": 1, "ok": 1}
    assert totals.by_purpose == {"answer": 1, "hedge": 1}
    (decision,) = stack.decisions
    loser, winner = sorted(decision.calls, key=lambda call: call.purpose)
    assert (loser.outcome, winner.outcome) == ("cancelled", "ok")
    assert loser.cost is not None
    assert loser.cost > 0, "its prompt may be billed"
    assert totals.cost == loser.cost + Decimal("0.015")
    assert stack.health.cooling_models() == {}, "being slower than usual once is no failure"
    await until(lambda: stack.server.active == 0)
    assert busy(stack.health) == 0


async def test_requests_that_are_as_quick_as_usual_use_nothing_of_the_allowance_up(stack: ChatStack) -> None:
    first = await stack.add("scripted-p7-hang", priority=0)
    await stack.add("scripted-n2", priority=1)
    for _ in range(FEWEST_TIMES):
        stack.health.answered_after(first, 0.2, stream=False)
    for _ in range(45):
        assert await chat(stack, stream=False) in ("scripted-p7-hang", "scripted-n2")
    totals = stack.ledger.totals
    assert totals.by_purpose["hedge"] >= 3
    assert set(totals.by_outcome) == {"ok", "cancelled"}, "who hung was not waited for until the time-out"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_first_that_answers_after_all_is_heard_and_the_second_stopped(stack: ChatStack, stream: bool) -> None:
    known(stack, await stack.add("scripted-ttft150-n2", priority=0))
    await stack.add("scripted-hang", priority=1)
    assert await chat(stack, stream=stream) == "scripted-ttft150-n2"
    async with asyncio.timeout(5):
        await stack.server.left.wait()
    assert stack.ledger.totals.by_outcome == {"ok": 1, "cancelled": 1}
    await until(lambda: stack.server.active == 0)
    assert busy(stack.health) == 0


@pytest.mark.parametrize("fault", ["e400", "e500", "rst"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_second_that_fails_takes_nothing_from_the_first(stack: ChatStack, stream: bool, fault: str) -> None:
    known(stack, await stack.add("scripted-ttft150-n2", priority=0))
    await stack.add(f"scripted-{fault}", priority=1)
    assert await chat(stack, stream=stream) == "scripted-ttft150-n2"
    assert stack.ledger.totals.by_purpose == {"answer": 1, "hedge": 1}


@pytest.mark.parametrize(("second", "error"), [("e400", UpstreamBadRequest), ("e500", UpstreamError)])
async def test_when_both_fail_it_is_told(stack: ChatStack, second: str, error: type[UpstreamError]) -> None:
    known(stack, await stack.add("scripted-ttft150-e503", priority=0))
    await stack.add(f"scripted-{second}", priority=1)
    with pytest.raises(error):
        await chat(stack, stream=False)
    assert stack.server.requests == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_whoever_leaves_stops_both(stack: ChatStack, stream: bool) -> None:
    known(stack, await stack.add("scripted-hang", priority=0))
    await stack.add("scripted-hang", id="another", priority=1)
    asking = asyncio.ensure_future(chat(stack, stream=stream))
    await until(lambda: stack.server.active == 2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: stack.server.active == 0)
    assert stack.server.gone == 2
    assert stack.ledger.totals.by_outcome == {"cancelled": 2}
    assert busy(stack.health) == 0


@pytest.mark.parametrize(
    ("body", "times"),
    [
        ({"tools": TOOLS}, FEWEST_TIMES),
        ({"gateway": {"hedge": False}}, FEWEST_TIMES),
        ({}, FEWEST_TIMES - 1),
    ],
    ids=["tools", "refused", "unknown"],
)
async def test_it_is_left_alone_where_it_calls_tools_does_not_want_it_or_is_not_known(
    stack: ChatStack, body: dict[str, Any], times: int
) -> None:
    known(stack, await stack.add("scripted-ttft150-n2", priority=0), times)
    await stack.add("scripted", priority=1)
    assert await chat(stack, stream=False, **body) == "scripted-ttft150-n2"
    assert stack.server.requests == 1


async def test_without_being_turned_on_nothing_is_hedged_but_for_who_asks(tmp_path: Path) -> None:
    async with chat_stack(tmp_path) as stack:
        known(stack, await stack.add("scripted-ttft150-n2", priority=0))
        await stack.add("scripted-n3", priority=1)
        assert await chat(stack, stream=False, gateway={"hedge": True}) == "scripted-n3"
        assert await chat(stack, stream=False) == "scripted-ttft150-n2"


async def test_with_nobody_else_there_is_no_second(stack: ChatStack) -> None:
    known(stack, await stack.add("scripted-ttft150-n2"))
    assert await chat(stack, stream=False) == "scripted-ttft150-n2"
    assert stack.server.requests == 1


async def test_one_that_is_cooling_is_no_help(stack: ChatStack) -> None:
    known(stack, await stack.add("scripted-ttft150-n2", priority=0))
    ill = await stack.add("scripted", provider="other", priority=1)
    stack.health.failed(ill, UpstreamError("x"))
    assert await chat(stack, stream=False) == "scripted-ttft150-n2"
    assert stack.server.requests == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_requests_own_time_limit_ends_both(stack: ChatStack, stream: bool) -> None:
    known(stack, await stack.add("scripted-hang", priority=0))
    await stack.add("scripted-hang", id="another", priority=1)
    with pytest.raises(UpstreamTimeout) as caught:
        await chat(stack, stream=stream, gateway={"timeoutMs": 200})
    assert caught.value.code == "request_timeout"
    assert stack.ledger.totals.by_outcome == {"request_timeout": 2}
    assert stack.health.cooling_models() == {}
    await until(lambda: stack.server.active == 0)


async def test_one_request_in_ten_at_most_and_a_few_after_a_quiet_time() -> None:
    allowance, taken = HedgeAllowance(), 0
    for _ in range(1000):
        allowance.count()
        taken += allowance.take()
    assert 100 <= taken <= 101
    for _ in range(1000):
        allowance.count()
    assert sum(allowance.take() for _ in range(1000)) == SAVED_UP
