"""Conversations stay with their models, within bounds, and across processes where they share a store."""

from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL, Caller
from shared.domain.routing import Facts
from shared.routing.affinity import Affinity
from shared.storage.key_values import MemoryValues
from shared.storage.redis_store import StoreAway

OTHER = Caller(id="other", kind="key", name="other", scopes=frozenset())


def facts(session: str = "s", **more: Any) -> Facts:
    messages = [{"role": "user", "content": "hi"}]
    return ChatRequest.parse({"messages": messages, "gateway": {"session": session}, **more}).facts


class Lasting(MemoryValues):
    """Counts what it is told."""

    def __init__(self) -> None:
        super().__init__(max_bytes=10_000)
        self.puts = 0

    async def put(self, key: str, value: bytes, *, seconds: float) -> None:
        self.puts += 1
        await super().put(key, value, seconds=seconds)


def test_it_is_the_callers_own() -> None:
    affinity = Affinity()
    affinity.keep(LOCAL, facts(), 1, "m")
    assert affinity.model_of(LOCAL, facts(), 1) == "m"
    assert affinity.model_of(OTHER, facts(), 1) == ""
    assert affinity.model_of(LOCAL, facts("t"), 1) == ""


def test_a_change_of_the_registry_frees_it() -> None:
    affinity = Affinity()
    affinity.keep(LOCAL, facts(), 1, "m")
    assert affinity.model_of(LOCAL, facts(), 2) == ""


def test_after_an_hour_without_a_request_it_is_free() -> None:
    now = 0.0
    affinity = Affinity(clock=lambda: now)
    affinity.keep(LOCAL, facts(), 1, "m")
    now = 3000.0
    affinity.keep(LOCAL, facts(), 1, "m")
    now = 6000.0
    assert affinity.model_of(LOCAL, facts(), 1) == "m"
    now = 6601.0
    assert affinity.model_of(LOCAL, facts(), 1) == ""


async def test_other_processes_hear_of_a_conversation_as_long_as_it_goes_on() -> None:
    now, shared = 0.0, Lasting()
    affinity = Affinity(shared, clock=lambda: now)
    for minute in range(61):
        now = 60.0 * minute
        affinity.keep(LOCAL, facts(), 1, "m")
    await affinity.aclose()
    assert shared.puts == 7


def test_the_longest_unused_is_forgotten_first() -> None:
    affinity = Affinity(most=100)
    for number in range(10_000):
        affinity.keep(LOCAL, facts(f"s{number}"), 1, "m")
        affinity.keep(LOCAL, facts("used"), 1, "m")
    assert affinity.model_of(LOCAL, facts("used"), 1) == "m"
    assert affinity.model_of(LOCAL, facts("s9999"), 1) == "m"
    assert affinity.model_of(LOCAL, facts("s9"), 1) == ""


async def test_another_process_takes_the_conversation_up_where_this_one_left_it() -> None:
    shared = MemoryValues(max_bytes=10_000)
    here, there = Affinity(shared), Affinity(shared)
    here.keep(LOCAL, facts(), 7, "provider/model with spaces")
    await here.aclose()
    await there.recall(LOCAL, facts())
    assert there.model_of(LOCAL, facts(), 7) == "provider/model with spaces"
    await there.recall(OTHER, facts())
    assert there.model_of(OTHER, facts(), 7) == ""


async def test_a_store_that_is_away_costs_nothing_but_the_bond() -> None:
    class Away(MemoryValues):
        async def get(self, key: str) -> bytes | None:
            raise StoreAway

        async def put(self, key: str, value: bytes, *, seconds: float) -> None:
            raise StoreAway

    affinity = Affinity(Away(max_bytes=1))
    await affinity.recall(LOCAL, facts())
    affinity.keep(LOCAL, facts(), 1, "m")
    await affinity.aclose()
    assert affinity.model_of(LOCAL, facts(), 1) == "m"
