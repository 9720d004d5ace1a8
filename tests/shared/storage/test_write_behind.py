"""Rows on their way into the database: bounded, in order, each once, nothing lost in silence."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
from sqlmodel import Session
from structlog.testing import capture_logs

from shared.errors import InvalidInput, Unavailable
from shared.storage import facts, write_behind
from shared.storage.database import Database
from shared.storage.write_behind import WriteBehind
from tests.support.databases import away
from tests.support.waiting import until

FACT = "written"


def write(session: Session, items: Sequence[int]) -> None:
    if any(item < 0 for item in items):
        raise InvalidInput("no")
    facts.write(session, FACT, [*facts.read(session, FACT, []), *items])


async def written(database: Database) -> list[int]:
    found: list[int] = await database.read(lambda session: facts.read(session, FACT, []))
    return found


def queue(database: Database, *, capacity: int = 10_000) -> WriteBehind[int]:
    return WriteBehind(database, write, what="numbers", capacity=capacity)


async def test_everything_is_written_in_order(database: Database) -> None:
    numbers = queue(database)
    for number in range(1_200):
        numbers.put(number)
    assert len(numbers) == 1_200
    await numbers.flush()
    assert (await written(database), len(numbers), numbers.lost) == ([*range(1_200)], 0, 0)


async def test_what_is_queued_is_written_by_itself(database: Database) -> None:
    numbers = queue(database)
    running = asyncio.create_task(numbers.run())
    for number in range(write_behind.BATCH):
        numbers.put(number)
    await until(lambda: not len(numbers))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(await written(database)) == write_behind.BATCH


async def test_an_empty_queue_leaves_the_database_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "FLUSH_SECONDS", 0.01)
    numbers, again = queue(database), asyncio.Event()
    flush = numbers.flush

    async def counting() -> None:
        again.set()
        await flush()

    monkeypatch.setattr(numbers, "flush", counting)
    running = asyncio.create_task(numbers.run())
    numbers.put(1)
    await until(lambda: again.is_set() and not len(numbers))
    again.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(again.wait(), 0.2)
    numbers.put(2)
    await asyncio.wait_for(again.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_has_no_room_is_counted_and_said_once(database: Database) -> None:
    numbers = queue(database, capacity=3)
    with capture_logs() as logs:
        for number in range(5):
            numbers.put(number)
    assert (numbers.lost, [*numbers]) == (2, [0, 1, 2])
    assert [entry["event"] for entry in logs] == ["numbers are being lost: the database does not take them"]


async def test_what_is_refused_does_not_hold_up_the_others(database: Database) -> None:
    numbers = queue(database)
    for number in (1, -1, 2):
        numbers.put(number)
    await numbers.flush()
    assert (await written(database), numbers.lost, len(numbers)) == ([1, 2], 1, 0)


async def test_while_the_database_is_away_it_is_kept(database: Database) -> None:
    numbers = queue(database)
    numbers.put(1)
    with away(database):
        with pytest.raises(Unavailable):
            await numbers.flush()
        with capture_logs() as logs:
            await numbers.aclose()
        assert [entry["event"] for entry in logs] == ["numbers are lost"]
    await numbers.flush()
    assert await written(database) == [1]


async def test_a_flush_that_is_cancelled_while_it_writes_writes_each_once(database: Database) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slowly(session: Session, items: Sequence[int]) -> None:
        began.set()
        assert go_on.wait(5)
        write(session, items)

    numbers = WriteBehind(database, slowly, what="numbers", capacity=10)
    for number in range(5):
        numbers.put(number)
    flushing = asyncio.create_task(numbers.flush())
    assert await asyncio.to_thread(began.wait, 5)
    flushing.cancel()
    go_on.set()
    await asyncio.gather(flushing, return_exceptions=True)
    await numbers.aclose()
    assert await written(database) == [*range(5)]


async def test_what_is_to_be_done_after_writing_is_done_by_the_writer(database: Database) -> None:
    left: list[int] = []

    async def then() -> None:
        left.append(len(numbers))

    numbers = WriteBehind(database, write, what="numbers", capacity=10, then=then)
    numbers.put(1)
    await numbers.flush()
    assert left == [0]


async def test_a_database_that_goes_between_single_rows_gets_each_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = queue(database)
    for number in (0, -1, 1, 2):
        numbers.put(number)
    run, tries = database.run, iter(range(10))

    async def goes_once(work: Callable[[Session], None]) -> None:
        if next(tries) == 3:
            raise Unavailable("away")
        await run(work)

    monkeypatch.setattr(database, "run", goes_once)
    with pytest.raises(Unavailable):
        await numbers.flush()
    assert [*numbers] == [1, 2]
    await numbers.flush()
    assert (await written(database), numbers.lost) == ([0, 1, 2], 1)


async def test_a_database_that_is_away_is_not_asked_again_with_every_row(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "AWAY_SECONDS", 3600)
    tried = asyncio.Event()
    tries = 0

    async def away_for_good(_: object) -> None:
        nonlocal tries
        tries += 1
        tried.set()
        raise Unavailable("away")

    monkeypatch.setattr(database, "run", away_for_good)
    numbers = queue(database)
    running = asyncio.create_task(numbers.run())
    for number in range(write_behind.BATCH):
        numbers.put(number)
    await asyncio.wait_for(tried.wait(), 5)
    for number in range(100):
        numbers.put(number)
        await asyncio.sleep(0)
    assert tries == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_goes_wrong_after_the_writing_does_not_end_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "AWAY_SECONDS", 0)

    async def then() -> None:
        raise InvalidInput("there is a row that cannot be read")

    numbers = WriteBehind(database, write, what="numbers", capacity=10_000, then=then)
    running = asyncio.create_task(numbers.run())
    for _ in range(2):
        for number in range(write_behind.BATCH):
            numbers.put(number)
        await until(lambda: not len(numbers))
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with capture_logs() as logs:
        await numbers.aclose()
    assert [entry["event"] for entry in logs] == ["numbers are lost"]


class Following:
    """What is done after each writing: it begins, and ends when it may; a number may come meanwhile."""

    def __init__(self, database: Database, *, comes: int | None = None) -> None:
        self.numbers = WriteBehind(database, write, what="numbers", capacity=10, then=self.then)
        self.began, self.go_on = asyncio.Event(), asyncio.Event()
        self._comes = comes

    async def then(self) -> None:
        self.began.set()
        if self._comes is not None:
            self.numbers.put(self._comes)
            self._comes = None
        await self.go_on.wait()


async def test_a_flush_waits_for_what_came_after_the_writing_that_is_ending(database: Database) -> None:
    following = Following(database)
    numbers = following.numbers
    numbers.put(1)
    first = asyncio.create_task(numbers.flush())
    await asyncio.wait_for(following.began.wait(), 5)
    numbers.put(2)
    second = asyncio.create_task(numbers.flush())
    await asyncio.sleep(0)
    following.go_on.set()
    await asyncio.gather(first, second)
    assert (await written(database), len(numbers)) == ([1, 2], 0)


async def test_the_end_writes_what_came_while_the_last_was_being_written(database: Database) -> None:
    following = Following(database, comes=2)
    following.go_on.set()
    following.numbers.put(1)
    await following.numbers.aclose()
    assert (await written(database), len(following.numbers)) == ([1, 2], 0)


async def test_a_flush_does_not_wait_for_what_comes_after_it_however_much_that_is(database: Database) -> None:
    numbers: WriteBehind[int]

    def another(session: Session, items: Sequence[int]) -> None:
        write(session, items)
        numbers.put(items[-1] + 1)

    numbers = WriteBehind(database, another, what="numbers", capacity=10)
    numbers.put(1)
    await asyncio.wait_for(numbers.flush(), 5)
    assert await written(database) == [1]
    assert [*numbers] == [2]
