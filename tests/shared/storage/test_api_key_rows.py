"""Key rows."""

from datetime import UTC, datetime, timedelta

from shared.domain.keys import ApiKey
from shared.storage import api_key_rows
from shared.storage.database import Database

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def key(number: int, **values: object) -> ApiKey:
    fields = {"name": f"n{number}", "prefix": "mgw_abcdef", "scopes": ["chat"], "created_at": NOON}
    return ApiKey.model_validate({"id": f"key-{number}", **fields, **values})


async def test_a_key_comes_back_as_it_went_in(database: Database) -> None:
    limited = key(1, expires_at=NOON + timedelta(days=1), rate_limit_per_hour=0)
    await database.run(lambda session: api_key_rows.add(session, limited, "hash1"))
    assert (await database.read(api_key_rows.load)).keys == {"hash1": limited}


async def test_keys_are_in_the_order_they_were_made(database: Database) -> None:
    for number in (2, 1, 3):
        made = key(number, created_at=NOON + timedelta(minutes=number))
        await database.run(lambda session, made=made: api_key_rows.add(session, made, made.id))  # type: ignore[misc]
    assert list((await database.read(api_key_rows.load)).keys) == ["key-1", "key-2", "key-3"]


async def test_a_deletion_says_whether_there_was_anything(database: Database) -> None:
    await database.run(lambda session: api_key_rows.add(session, key(1), "hash1"))
    assert await database.run(lambda session: api_key_rows.delete(session, "key-1"))
    assert not await database.run(lambda session: api_key_rows.delete(session, "key-1"))
    assert (await database.read(api_key_rows.load)).keys == {}


async def test_a_change_comes_with_a_new_version(database: Database) -> None:
    before = await database.read(api_key_rows.version)
    _, state = await database.run(
        lambda session: api_key_rows.changed(session, lambda inner: api_key_rows.add(inner, key(1), "hash1"))
    )
    assert state.version == before + 1
    assert list(state.keys) == ["hash1"]


async def test_last_use_is_written_for_many_keys_at_once_and_is_no_new_version(database: Database) -> None:
    for number in (1, 2, 3):
        await database.run(lambda session, n=number: api_key_rows.add(session, key(n), f"hash{n}"))  # type: ignore[misc]
    before = await database.read(api_key_rows.version)
    await database.run(lambda session: api_key_rows.touch(session, {"key-1": NOON, "key-3": NOON, "gone": NOON}))
    state = await database.read(api_key_rows.load)
    assert [found.last_used_at for found in state.keys.values()] == [NOON, None, NOON]
    assert state.version == before
