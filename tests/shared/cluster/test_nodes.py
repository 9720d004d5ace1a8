"""The processes of one gateway: who is there, who has gone, and what they may have together."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import Session

from shared.cluster import heartbeats
from shared.cluster.heartbeats import BEAT_SECONDS, GONE_SECONDS
from shared.cluster.nodes import Nodes
from shared.errors import Conflict, RateLimited
from shared.storage import node_rows
from shared.storage.database import Database
from tests.support.clock import Clock
from tests.support.logs import logged_by
from tests.support.nodes import alone


def node(database: Database, clock: Clock, name: str, **counts: int) -> Nodes:
    made = Nodes(database, clock, address=f"unix:/{name}", monotonic=clock.seconds)
    made.watch(lambda: counts)
    return made


async def beats(nodes: Nodes, clock: Clock) -> None:
    """So much time passes that one which says nothing meanwhile has gone."""
    for _ in range(round(GONE_SECONDS / BEAT_SECONDS) + 1):
        clock.advance(seconds=BEAT_SECONDS)
        await nodes.announce()


async def allow(nodes: Nodes, owner: str) -> None:
    await nodes.allow_one_more(
        owner, total=5, per_owner=3, error=lambda own: RateLimited("yours" if own else "everybody's")
    )


async def test_each_finds_the_sessions_of_the_others(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other")
    await one.announce()
    await other.announce()
    await one.refresh()
    made_there = f"term-1-{other.id}0123456789abcdef01234567"
    found = await one.maker_of(made_there)
    assert found is not None
    assert (found.id, found.address) == (other.id, "unix:/other")
    assert await other.maker_of(made_there) is None
    assert await one.maker_of("term-1-0123456789abcdef0123456789abcdef") is None
    assert await one.maker_of("nonsense") is None


async def test_one_that_died_is_gone_as_soon_as_another_has_its_socket_file(database: Database) -> None:
    clock = Clock()
    died, beside = node(database, clock, "one"), node(database, clock, "other")
    await died.announce()
    await beside.announce()
    again = node(database, clock, "one")
    await again.announce()
    await beside.refresh()
    assert [there.id for there in beside.others] == [again.id]


async def test_one_that_began_just_now_is_found_all_the_same(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other")
    await one.announce()
    await other.announce()
    clock.advance(seconds=1)
    assert await one.maker_of(f"term-1-{other.id}00") is not None


async def test_many_ids_at_once_that_nobody_made_cost_one_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, looks = node(database, Clock(), "one"), 0
    read = database.read

    async def counted(work: Callable[[Session], Any]) -> Any:
        nonlocal looks
        looks += 1
        return await read(work)

    monkeypatch.setattr(database, "read", counted)
    assert await asyncio.gather(*(one.named(f"{number:08x}") for number in range(100))) == [None] * 100
    assert looks == 1


async def test_one_that_says_nothing_any_more_has_gone(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other", me=3)
    await other.announce()
    await one.announce()
    assert [found.id for found in one.others] == [other.id]
    await beats(one, clock)
    await allow(one, "me")
    assert one.others == []


@pytest.mark.parametrize("behind", [-3600, -12, 12, 3600])
async def test_one_whose_clock_differs_is_there_for_as_long_as_it_says_so(database: Database, behind: float) -> None:
    clock, wrong = Clock(), Clock()
    one = node(database, clock, "one")
    other = Nodes(database, wrong, address="unix:/other", monotonic=clock.seconds)
    wrong.advance(seconds=-behind)
    with logged_by(heartbeats) as lines:
        for _ in range(10):
            await other.announce()
            clock.advance(seconds=BEAT_SECONDS)
            wrong.advance(seconds=BEAT_SECONDS)
            await one.announce()
        assert [found.id for found in one.others] == [other.id]
    (warned,) = [line for line in lines if line["node"] == other.id]
    assert warned["log_level"] == "warning"
    assert abs(warned["seconds_behind"] - behind) <= BEAT_SECONDS
    await beats(one, clock)
    assert one.others == []


async def test_clocks_that_differ_a_little_are_not_worth_a_word(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other")
    await other.announce()
    with logged_by(heartbeats) as lines:
        await one.announce()
        clock.advance(seconds=60)  # the database was away
        await other.announce()
        await one.announce()
        clock.advance(seconds=3)
        await other.announce()
        clock.advance(seconds=4)
        await one.refresh()
    assert lines == []


async def test_while_nobody_looks_nobody_goes(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other")
    await other.announce()
    await one.announce()
    clock.advance(seconds=60)  # the database was away
    await one.announce()
    assert [found.id for found in one.others] == [other.id]


async def test_a_beat_that_fails_is_not_the_last(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    one = node(database, Clock(), "one")
    announce, beats, said = one.announce, 0, asyncio.Event()

    async def fail_once() -> None:
        nonlocal beats
        beats += 1
        if beats == 1:
            one.changed()
            raise Conflict("its row was forgotten meanwhile")
        await announce()
        said.set()

    monkeypatch.setattr(one, "announce", fail_once)
    beating = asyncio.create_task(one.run())
    one.changed()
    async with asyncio.timeout(10):
        await said.wait()
    assert await database.read(node_rows.every)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def test_one_that_says_goodbye_has_gone_at_once(database: Database) -> None:
    clock = Clock()
    one, other = node(database, clock, "one"), node(database, clock, "other")
    await other.announce()
    await other.withdraw()
    await one.announce()
    assert one.others == []


async def test_they_may_have_so_many_sessions_together(database: Database) -> None:
    clock = Clock()
    mine = {"me": 1}
    one = Nodes(database, clock, address="unix:/one")
    one.watch(lambda: mine)
    await node(database, clock, "other", me=2, you=1).announce()
    await allow(one, "me")
    mine["me"] = 2
    with pytest.raises(RateLimited, match="yours"):
        await allow(one, "me")
    mine.update(me=1, they=2)
    with pytest.raises(RateLimited, match="everybody's"):
        await allow(one, "they")


async def test_of_many_that_ask_at_once_no_more_are_let_in(database: Database) -> None:
    clock = Clock()
    async with Database(database.url.render_as_string(hide_password=False)) as elsewhere:
        nodes = [node(each, clock, str(number), me=1) for number, each in enumerate([database, elsewhere] * 4)]
        found = await asyncio.gather(*(allow(each, "me") for each in nodes), return_exceptions=True)
    assert sum(answer is None for answer in found) == 3
    assert sum(isinstance(answer, RateLimited) for answer in found) == 5


async def test_fewer_sessions_are_told_at_once(database: Database) -> None:
    clock = Clock()
    mine = {"me": 3}
    one, other = Nodes(database, clock, address="unix:/one"), node(database, clock, "other", me=1)
    one.watch(lambda: mine)
    await one.announce()
    telling = asyncio.create_task(one.run())
    mine.clear()
    one.changed()
    async with asyncio.timeout(5):
        while True:
            try:
                await allow(other, "me")
                break
            except RateLimited:
                await asyncio.sleep(0.01)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_one_that_is_alone_never_asks_the_database() -> None:
    nodes = alone()
    await nodes.announce()
    await nodes.refresh()
    await nodes.withdraw()
    await allow(nodes, "me")
    await nodes.run()
    assert (nodes.id, nodes.others, await nodes.maker_of("term-1-00")) == ("", [], None)
