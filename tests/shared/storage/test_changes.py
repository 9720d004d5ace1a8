"""A wait for changes returns once there are some; with another process that makes them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import Session

from shared.storage import facts
from shared.storage.changes import Changes
from shared.storage.database import Database

HOUR = 3600.0


def change(session: Session) -> None:
    facts.next_version(session, "name_version")


@pytest.fixture
async def changes(database: Database, tmp_path: Path) -> AsyncIterator[Changes]:
    """They notice by themselves."""
    if sys.platform != "linux":
        pytest.skip("only Linux has inotify")
    database.may_have_changed()
    made = Changes(database, [tmp_path])
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(10):
        while not made.noticed_at_once:
            await made.wait(longest=HOUR, poll=0.01)
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    made.close()


async def test_a_change_of_another_process_ends_the_wait(changes: Changes, database: Database) -> None:
    async with Database(database.url.render_as_string(hide_password=False)) as other:
        before = await database.read(facts.versions)
        await other.run(change)
        async with asyncio.timeout(5):
            while await database.read(facts.versions) == before:
                await changes.wait(longest=HOUR, poll=0.01)


async def test_a_file_in_a_folder_ends_the_wait(changes: Changes, tmp_path: Path) -> None:
    waiting = asyncio.create_task(changes.wait(longest=HOUR, poll=0.01))
    (tmp_path / "policy.toml").write_text("policies = []")
    async with asyncio.timeout(5):
        await waiting


async def test_without_notices_it_polls(tmp_path: Path) -> None:
    async with Database("sqlite:///:memory:") as database:
        changes = Changes(database, [tmp_path / "missing"])
        assert not changes.noticed_at_once
        async with asyncio.timeout(5):
            await changes.wait(longest=HOUR, poll=0.01)
