import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from shared.domain.shares import parse_shares
from shared.errors import Unavailable
from shared.routing.learning import persistence as persistence_module
from shared.routing.learning.learner import Learner, Mode
from shared.routing.learning.persistence import Persistence
from shared.routing.learning.rewards import Outcome
from shared.storage import facts, learning_rows
from shared.storage.database import Database
from tests.support.databases import away
from tests.support.estimates import FACTS, Looked, asking
from tests.support.logs import logged_by


def learner(mode: Mode = "on") -> Learner:
    return Learner(mode, parse_shares("L0=50,L1=50"))


def teach(made: Learner, count: int, *, good: bool, value: float = 0.8) -> None:
    for number in range(count):
        caller = asking(f"{number}")
        made.start(caller, FACTS, estimate=Looked(features=(value,) * 4), usual="L0", costs={"L0": None})
        made.outcome(caller, "L0", Outcome(agreed=good))


def word(made: Learner, value: float = 0.8) -> float:
    return made.heads.good("L0", [1.0, -0.2, *[0.0] * 5, *[value] * 4], 0.5)


async def stored(database: Database) -> Any:
    return await database.read(learning_rows.load)


async def overwrite(database: Database, value: Any) -> None:
    def write(session: Session) -> None:
        facts.write(session, learning_rows.NAME, value)

    await database.run(write)


async def opened(database: Database, mode: Mode = "on") -> tuple[Learner, Persistence]:
    made = learner(mode)
    persistence = Persistence(database, made)
    await persistence.load()
    return made, persistence


async def test_what_was_learned_is_there_after_a_restart(database: Database) -> None:
    made, persistence = await opened(database)
    teach(made, 200, good=False)
    await persistence.aclose()
    again, _ = await opened(database)
    assert again.state() == made.state()
    assert word(again) < 0.2


async def test_nothing_is_written_while_nothing_is_learned_or_it_is_off(database: Database) -> None:
    _, persistence = await opened(database)
    await persistence.flush()
    made, persistence = await opened(database, "off")
    teach(made, 10, good=False)
    await persistence.flush()
    assert await stored(database) is None


@pytest.mark.parametrize("broken", ["nonsense", 7, [], {"version": 1}, {"version": 2, "size": -1}])
async def test_what_cannot_be_read_is_left_with_a_line_in_the_log(database: Database, broken: Any) -> None:
    await overwrite(database, broken)
    with logged_by(persistence_module) as lines:
        made, persistence = await opened(database)
        teach(made, 5, good=True)
        await persistence.flush()
    assert [line["log_level"] for line in lines if "starts afresh" in line["event"]] == ["warning", "warning"]
    assert (await stored(database))["learned"] == 5


@pytest.mark.parametrize("number", ["NaN", 1e300, "x", None])
async def test_a_number_that_is_none_spoils_all(database: Database, number: Any) -> None:
    made, persistence = await opened(database)
    teach(made, 5, good=True)
    await persistence.flush()
    value = await stored(database)
    value["heads"]["L0"]["means"][0] = number
    await overwrite(database, value)
    again, _ = await opened(database)
    assert again.state().learned == 0


async def test_processes_side_by_side_learn_from_each_other(database: Database) -> None:
    one, first = await opened(database)
    two, second = await opened(database)
    teach(one, 300, good=False)
    teach(two, 100, good=True)
    before = word(one), word(two)
    await first.flush()
    await second.flush()
    await first.flush()
    assert before[0] < word(one) < before[1]
    assert word(one) == pytest.approx(word(two), abs=0.01)
    assert (await stored(database))["learned"] == one.state().learned == two.state().learned == 400
    assert word(one) < 0.5  # three times as much spoke for it


async def test_a_process_that_learned_nothing_takes_over_what_another_did(database: Database) -> None:
    one, first = await opened(database)
    teach(one, 50, good=True)
    await first.flush()
    idle, second = await opened(database)
    teach(one, 300, good=False)
    await first.flush()
    await second.flush()
    assert word(idle) == pytest.approx(word(one), abs=0.01)


async def test_without_the_database_it_goes_on_and_writes_later(database: Database) -> None:
    made, persistence = await opened(database)
    teach(made, 20, good=True)
    with away(database):
        with pytest.raises(Unavailable):
            await persistence.flush()
        await persistence.aclose()
    await persistence.flush()
    assert (await stored(database))["learned"] == 20


async def test_flushes_at_the_same_time_count_everything_once(database: Database) -> None:
    made, persistence = await opened(database)
    other, further = await opened(database)
    teach(made, 20, good=True)
    teach(other, 30, good=True)
    await asyncio.gather(*(kept.flush() for kept in (persistence, further) for _ in range(10)))
    assert (await stored(database))["learned"] == 50


async def test_a_process_that_is_killed_loses_only_what_came_since_the_last_writing(tmp_path: Path) -> None:
    script = """
import asyncio, os, signal, sys
from shared.domain.shares import parse_shares
from shared.routing.learning.learner import Learner
from shared.routing.learning.persistence import Persistence
from shared.routing.learning.rewards import Outcome
from shared.storage import schema
from shared.storage.database import Database
from tests.support.estimates import FACTS, Looked, asking

async def main():
    database = Database(sys.argv[1])
    schema.upgrade(database)
    made = Learner("on", parse_shares("L0=50,L1=50"))
    kept = Persistence(database, made)
    await kept.load()
    for number in range(60):
        made.start(asking(str(number)), FACTS, estimate=Looked(), usual="L0", costs={"L0": None})
        made.outcome(asking(str(number)), "L0", Outcome(agreed=False))
        if number == 39:
            await kept.flush()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    url = f"sqlite:///{tmp_path / 'killed.sqlite3'}"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, url, cwd=Path(__file__).parents[4])
    assert await asyncio.wait_for(process.wait(), 30) == -9
    async with Database(url) as database:
        made, _ = await opened(database)
        assert made.state().learned == 40
