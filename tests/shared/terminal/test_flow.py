"""Holding up a source for those who read on."""

import asyncio

import pytest

from shared.terminal import flow as module
from shared.terminal.flow import Flow
from shared.terminal.scrollback import Scrollback

LIMIT = 40_000


@pytest.fixture
def said() -> list[bool]:
    return []


@pytest.fixture
def scrollback(said: list[bool]) -> Scrollback:
    made = Scrollback(LIMIT)
    made.flow.attach(said.append)
    return made


async def test_a_source_nobody_reads_is_never_held_up(scrollback: Scrollback, said: list[bool]) -> None:
    for _ in range(100):
        scrollback.feed(b"x" * 1000)
    assert said == []


async def test_a_reader_who_comes_back_misses_nothing(scrollback: Scrollback, said: list[bool]) -> None:
    cursor = 0
    scrollback.flow.claim("reader", cursor)
    for _ in range(50):
        while not scrollback.flow.held:
            scrollback.feed(b"x" * 1000)
        part = scrollback.read(cursor)
        assert part.dropped == 0
        cursor = part.cursor
        scrollback.flow.claim("reader", cursor)
        assert not scrollback.flow.held
    assert cursor > 10 * LIMIT
    assert said == [True, False] * 50


async def test_the_slower_of_two_readers_is_waited_for(scrollback: Scrollback) -> None:
    scrollback.flow.claim("quick", 0)
    scrollback.flow.claim("slow", 0)
    while not scrollback.flow.held:
        scrollback.feed(b"x" * 1000)
    scrollback.flow.claim("quick", scrollback.end)
    assert scrollback.flow.held
    scrollback.flow.claim("slow", scrollback.end)
    assert not scrollback.flow.held


async def test_a_reader_who_does_not_come_back_is_waited_for_once(
    scrollback: Scrollback, said: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD", 0.05)
    scrollback.flow.claim("reader", 0)
    while not scrollback.flow.held:
        scrollback.feed(b"x" * 1000)
    async with asyncio.timeout(5):
        while scrollback.flow.held:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    for _ in range(100):
        scrollback.feed(b"x" * 1000)
    assert said == [True, False]


async def test_one_whose_place_is_lost_already_holds_up_nobody(scrollback: Scrollback, said: list[bool]) -> None:
    for _ in range(100):
        scrollback.feed(b"x" * 1000)
    scrollback.flow.claim("late", 0)
    scrollback.feed(b"x" * 1000)
    assert said == []


async def test_another_source_begins_unheld() -> None:
    first: list[bool] = []
    second: list[bool] = []
    flow = Flow()
    flow.attach(first.append)
    flow.claim("reader", 5)
    flow.near(0, 10)
    flow.attach(second.append)
    assert (first, second) == ([True, False], [])
    flow.near(0, 11)
    assert second == [True]
    flow.near(0, 0)
    assert second == [True, False]
