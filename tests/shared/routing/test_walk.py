"""Who is asked next after what the others said, over real sockets; the time that is waited is written down, not waited."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import (
    GatewayError,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamThrottled,
)
from shared.routing import walk
from shared.routing.walk import MAX_ATTEMPTS, MAX_WAITS
from tests.support.chat_stack import ChatStack, chat_stack

PATIENCE = 5.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long walks have waited, without waiting."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(walk, "asyncio", SimpleNamespace(sleep=sleep))
    return found


@pytest.fixture
async def stack(tmp_path: Path, waits: list[float]) -> AsyncIterator[ChatStack]:
    async with chat_stack(tmp_path, patience=PATIENCE) as found:
        yield found


def asked(stack: ChatStack) -> list[str]:
    """The models that were asked, in order."""
    return [seen.body["model"] for seen in stack.server.seen]


async def add(stack: ChatStack, *names: str, **more: Any) -> None:
    """Models in this order of priority."""
    for priority, name in enumerate(names):
        await stack.add(name, priority=priority, **more)


async def test_no_more_than_so_many_are_asked(stack: ChatStack, waits: list[float]) -> None:
    await add(stack, *(f"m{number}-e500" for number in range(MAX_ATTEMPTS + 4)))
    with pytest.raises(UpstreamError) as caught:
        await stack.chat()
    assert stack.server.requests == MAX_ATTEMPTS
    assert len(caught.value.details["attempts"]) == MAX_ATTEMPTS
    assert waits == []


async def test_a_request_that_is_wrong_goes_nowhere_else_however_much_is_said_about_it(stack: ChatStack) -> None:
    await add(stack, "scripted-e400-big", "scripted")
    with pytest.raises(UpstreamBadRequest):
        await stack.chat()
    assert stack.server.requests == 1
    assert stack.health.cooling_models() == {}


async def test_what_is_too_long_goes_to_larger_windows_only(stack: ChatStack) -> None:
    for priority, (name, window) in enumerate(
        [("a-ctx", 8_000), ("b", 4_000), ("c", 8_000), ("d-ctx", 16_000), ("e", 16_000), ("f", 32_000)]
    ):
        await stack.add(name, priority=priority, context_window=window)
    assert (await stack.chat()).payload["model"] == "f"
    assert asked(stack) == ["a-ctx", "d-ctx", "f"]
    assert stack.health.cooling_models() == {}, "none of them is ill"


async def test_nobody_waits_for_a_window_that_is_too_small(stack: ChatStack, waits: list[float]) -> None:
    await stack.add("a-first1-e429-ra1", priority=0, context_window=8_000)
    await stack.add("b-ctx", priority=1, context_window=16_000)
    with pytest.raises(UpstreamError):
        await stack.chat()
    assert (asked(stack), waits) == (["a-first1-e429-ra1", "b-ctx"], [])


async def test_what_is_too_long_for_all_says_so(stack: ChatStack, waits: list[float]) -> None:
    await stack.add("a-ctx", priority=0, context_window=8_000)
    await stack.add("b", priority=1, context_window=8_000)
    with pytest.raises(UpstreamContextTooLong):
        await stack.chat()
    assert (asked(stack), waits) == (["a-ctx"], [])


async def test_a_last_chance_is_none_where_the_window_is_too_small(stack: ChatStack) -> None:
    await stack.add("a-e401", priority=0, context_window=32_000)
    await stack.add("b", priority=1, context_window=8_000)  # its key rests by now
    await stack.add("c-ctx", provider="other", priority=2, context_window=16_000)
    with pytest.raises(UpstreamError):
        await stack.chat()
    assert asked(stack) == ["a-e401", "c-ctx"]


async def test_what_one_providers_rules_forbid_goes_to_another_provider(stack: ChatStack) -> None:
    await add(stack, "a-policy", "b")
    await stack.add("c", provider="other", priority=2)
    assert (await stack.chat()).payload["model"] == "c"
    assert asked(stack) == ["a-policy", "c"]


async def test_what_every_provider_refuses_is_refused(stack: ChatStack, waits: list[float]) -> None:
    await stack.add("a-policy", priority=0)
    await stack.add("b-filter", provider="other", priority=1)
    with pytest.raises(UpstreamRefused):
        await stack.chat()
    assert (asked(stack), waits) == (["a-policy", "b-filter"], [])


async def test_keys_take_turns_and_a_dead_one_leaves_the_others_working(tmp_path: Path) -> None:
    async with chat_stack(tmp_path, keys="sk-first, sk-second") as stack:
        await stack.add("scripted-n1")
        for _ in range(4):
            await stack.chat()
        used = [seen.headers["authorization"].removeprefix("Bearer ") for seen in stack.server.seen]
        assert used == ["sk-first", "sk-second"] * 2

        await stack.registry.delete("scripted/scripted-n1")
        await stack.add("scripted-first1-e401")
        stack.server.seen.clear()
        assert (await stack.chat()).route.attempts == 2
        for _ in range(4):
            assert (await stack.chat()).route.attempts == 1
        used = [seen.headers["authorization"].removeprefix("Bearer ") for seen in stack.server.seen]
        assert used == ["sk-first"] + ["sk-second"] * 5
        assert set(stack.health.cooling_models()) == {"scripted/scripted-first1-e401", "provider:scripted"}


async def test_nobody_waits_while_another_can_be_asked(stack: ChatStack, waits: list[float]) -> None:
    await add(stack, "scripted-e429-ra1", "scripted")
    assert (await stack.chat()).payload["model"] == "scripted"
    assert waits == []


@pytest.mark.parametrize("stream", [False, True])
async def test_the_last_one_is_waited_for_as_long_as_it_says(
    stack: ChatStack, waits: list[float], stream: bool
) -> None:
    await stack.add("scripted-first1-e429-ra3")
    assert (await stack.chat()).route.attempts == 2
    assert waits == [3]


async def test_the_one_that_is_back_soonest_is_waited_for(stack: ChatStack, waits: list[float]) -> None:
    await add(stack, "a-first1-e429-ra4", "b-first1-e503-ra2", "c-e401")
    assert (await stack.chat()).payload["model"] == "b-first1-e503-ra2"
    assert waits == [2]


async def test_what_will_not_pass_is_not_waited_for(stack: ChatStack, waits: list[float]) -> None:
    for fault in ("e401", "e402", "e404", "html", "empty"):
        await stack.add(f"scripted-{fault}")
        with pytest.raises(UpstreamError):
            await stack.chat()
        await stack.registry.delete(f"scripted/scripted-{fault}")
        stack.health.succeeded(await stack.add("any", id=f"scripted/scripted-{fault}"))
        await stack.registry.delete(f"scripted/scripted-{fault}")
    assert waits == []
    assert stack.server.requests == 5


@pytest.mark.parametrize(
    ("model", "more", "waited"),
    [
        ("scripted-e429-ra6", {}, []),
        ("scripted-e429-ra3", {}, [3]),
        ("scripted-e429-ra1", {}, [1, 1]),
        ("scripted-e429-ra3", {"gateway": {"timeoutMs": 2_000}}, []),
        ("scripted-e429-ra0", {"gateway": {"timeoutMs": 2_000}}, [0, 0]),
    ],
)
async def test_nobody_waits_longer_than_is_allowed(
    stack: ChatStack, waits: list[float], model: str, more: dict[str, Any], waited: list[float]
) -> None:
    await stack.add(model)
    with pytest.raises(UpstreamThrottled) as caught:
        await stack.chat(**more)
    assert waits == waited
    assert stack.server.requests == len(waited) + 1
    assert caught.value.retry_after == int(model[-1])


async def test_a_busy_one_that_does_not_say_when_is_asked_after_a_moment(stack: ChatStack, waits: list[float]) -> None:
    await stack.add("scripted-e503")
    with pytest.raises(UpstreamOverloaded):
        await stack.chat()
    assert len(waits) == MAX_WAITS
    assert 0 < waits[0] < waits[1] < PATIENCE


FAULTS = ("e400", "e401", "e404", "e429-ra1", "e429-ra9", "e500", "e503", "ctx", "policy", "empty", "rst", "n1")
WINDOWS = (8_000, 16_000, 32_000)
Candidate = tuple[str, str, int]
CANDIDATES = st.lists(
    st.tuples(st.sampled_from(FAULTS), st.sampled_from(("scripted", "other")), st.sampled_from(WINDOWS)),
    min_size=1,
    max_size=10,
)


@given(candidates=CANDIDATES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_they_say_the_way_is_short_and_sensible(
    stack: ChatStack, waits: list[float], candidates: list[Candidate]
) -> None:
    names = [f"{'abcdefghij'[number]}-{fault}" for number, (fault, _, _) in enumerate(candidates)]
    models = [
        await stack.add(name, provider=provider, priority=number, context_window=window)
        for number, (name, (_, provider, window)) in enumerate(zip(names, candidates, strict=True))
    ]
    stack.server.seen.clear()
    waits.clear()
    try:
        answer = (await stack.chat()).payload["model"]
    except GatewayError:
        answer = ""
    finally:
        for model in models:
            stack.health.succeeded(model)
            await stack.registry.delete(model.id)
    order = [names.index(name) for name in dict.fromkeys(asked(stack))]
    check(candidates, order, names.index(answer) if answer else None)
    assert sum(waits) <= PATIENCE
    assert len(waits) <= MAX_WAITS


def check(candidates: list[Candidate], order: list[int], answered: int | None) -> None:
    """Against the rules, by the candidates that were asked, each once, in order."""
    assert len(order) <= MAX_ATTEMPTS
    assert order[:-1] == sorted(order[:-1]), "by priority, but for the one that gets a last chance"
    faults = [candidates[number][0] for number in order]
    assert "e400" not in faults[:-1], "what is wrong is wrong everywhere"
    assert answered == (order[-1] if faults[-1] == "n1" else None)
    for place, number in enumerate(order):
        _, provider, window = candidates[number]
        before = [candidates[earlier] for earlier in order[:place]]
        assert all(window > earlier[2] for earlier in before if earlier[0] == "ctx")
        assert all(provider != earlier[1] for earlier in before if earlier[0] == "policy")
    if answered is None and faults[-1] != "e400" and len(order) < MAX_ATTEMPTS:
        for number in set(range(len(candidates))) - set(order):
            assert excused(candidates, order, number), f"{number} might have answered"


def excused(candidates: list[Candidate], order: list[int], number: int) -> bool:
    """Whether there was a reason not to ask this one."""
    _, provider, window = candidates[number]
    said = [candidates[earlier] for earlier in order]
    return any(
        (fault == "ctx" and window <= theirs)
        or (fault == "policy" and where == provider)
        or (fault == "e401" and where == provider)
        for fault, where, theirs in said
    )
