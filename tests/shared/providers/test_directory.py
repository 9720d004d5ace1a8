"""The directory of providers: who is in use, how they are, who is asked again and when."""

import asyncio
from typing import Any

import pytest

from shared.providers.base import Probe
from shared.providers.directory import PROBE_SECONDS, RETRY_SECONDS, Directory
from shared.providers.vendors import Account


class Asked:
    """A provider that counts how often it was asked, and answers as it is told."""

    reports_cost = False
    configured = True

    def __init__(self, account: Account) -> None:
        self.name = account.name
        self.asked = 0
        self.answer = Probe(healthy=True)
        self.closed = False

    def serves(self, model: Any) -> bool:
        return True

    async def probe(self) -> Probe:
        self.asked += 1
        return self.answer

    async def aclose(self) -> None:
        self.closed = True


def account(name: str, dialect: Any = "openai") -> Account:
    return Account(name=name, dialect=dialect, base_url=f"http://127.0.0.1:1/{name}")


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def made(*names: str) -> tuple[Any, Ticks]:
    clock = Ticks()
    directory: Any = Directory(Asked, clock)  # type: ignore[arg-type]
    await directory.replace([account(name, "local" if name == "near" else "openai") for name in names])
    return directory, clock


async def test_before_the_first_look_nobody_is_healthy() -> None:
    directory, _ = await made("a")
    assert not directory.healthy("a")
    assert directory.health("a").detail
    await directory.probe("a")
    assert directory.healthy("a")


async def test_an_unknown_provider_is_neither_there_nor_healthy() -> None:
    directory, _ = await made("a")
    assert directory.get("b") is None
    assert not (await directory.probe("b")).healthy
    assert not directory.healthy("b")


async def test_a_calls_outcome_is_the_last_word() -> None:
    directory, _ = await made("a")
    await directory.probe("a")
    directory.report("a", Probe(healthy=False, detail="refused"))
    assert not directory.healthy("a")
    directory.report("a", Probe(healthy=True))
    assert directory.healthy("a")


async def test_steady_ones_are_asked_seldom_and_those_in_trouble_or_near_often() -> None:
    directory, clock = await made("steady", "shaky", "near")
    directory.get("shaky").answer = Probe(healthy=False)
    for name in directory.names():
        await directory.probe(name)
    assert [name for name in directory.names() if directory._due(name)] == []
    clock.now = RETRY_SECONDS
    assert [name for name in directory.names() if directory._due(name)] == ["shaky", "near"]
    clock.now = PROBE_SECONDS
    assert [name for name in directory.names() if directory._due(name)] == ["steady", "shaky", "near"]


async def test_the_loop_asks_everybody_at_once_and_again_when_something_changes() -> None:
    directory, _ = await made("a", "b")
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def note(name: str, probe: Probe) -> None:
        await seen.put(name)

    loop = asyncio.create_task(directory.run(note))
    async with asyncio.timeout(5):
        assert {await seen.get(), await seen.get()} == {"a", "b"}
        await directory.replace([account("a"), account("b"), account("c")])
        assert await seen.get() == "c"
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_what_is_gone_is_closed_and_its_health_forgotten() -> None:
    directory, _ = await made("a", "b")
    await directory.probe("b")
    gone = directory.get("b")
    await directory.replace([account("a")])
    assert gone.closed
    await directory.replace([account("a"), account("b")])
    assert not directory.healthy("b")
