"""API keys."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import Session

from shared.errors import InvalidInput, NotFound, Unauthenticated, Unavailable
from shared.security.api_keys import ApiKeys, is_api_key
from shared.storage import api_key_rows
from shared.storage.database import Database
from shared.storage.tables import ApiKeyRow
from tests.support.clock import Clock
from tests.support.databases import PostgresServer, another_process_after


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keys(database: Database, clock: Clock) -> ApiKeys:
    opened = ApiKeys(database, clock)
    await opened.refresh()
    return opened


async def test_a_secret_stands_for_its_key(keys: ApiKeys) -> None:
    key, secret = await keys.create("laptop", ["chat", "models:read", "chat"], rate_limit_per_hour=50)
    caller = keys.authenticate(secret, address="10.0.0.9", request_id="r-1")
    assert (caller.id, caller.kind, caller.name) == (key.id, "key", "laptop")
    assert caller.scopes == {"chat", "models:read"}
    assert caller.rate_limit_per_hour == 50
    assert (caller.address, caller.request_id, caller.token_id, caller.role) == ("10.0.0.9", "r-1", None, None)


async def test_a_secret_is_long_recognisable_and_stored_nowhere(keys: ApiKeys, database: Database) -> None:
    key, secret = await keys.create("laptop", ["chat"])
    assert secret.startswith("mgw_")
    assert len(secret) >= 4 + 43
    assert secret.startswith(key.prefix)
    assert len(key.prefix) == 10
    row = await database.read(lambda session: session.get(ApiKeyRow, key.id))
    assert row is not None
    assert secret not in str(row.model_dump())
    assert secret not in str(await keys.list())
    assert (await keys.create("laptop", ["chat"]))[1] != secret


async def test_made_up_secrets_get_one_answer(keys: ApiKeys) -> None:
    _, secret = await keys.create("laptop", ["chat"])
    said = set()
    for text in (
        "",
        "mgw_",
        secret[:-1],
        secret + "x",
        secret.upper(),
        "mgw_" + "x" * 43,
        "mgw_" + "x" * 10**6,
        "mgw_\ud800",
    ):
        with pytest.raises(Unauthenticated) as refused:
            keys.authenticate(text)
        said.add((refused.value.message, refused.value.code))
    assert len(said) == 1


async def test_a_key_ends_when_it_expires(keys: ApiKeys, clock: Clock) -> None:
    _, secret = await keys.create("laptop", ["chat"], expires_at=clock.now + timedelta(hours=1))
    clock.advance(minutes=59)
    keys.authenticate(secret)
    clock.advance(minutes=1)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


async def test_a_key_cannot_be_made_expired(keys: ApiKeys, clock: Clock) -> None:
    with pytest.raises(InvalidInput, match="expiresAt"):
        await keys.create("laptop", ["chat"], expires_at=clock.now)
    assert await keys.list() == []


async def test_a_change_counts_at_once_here_and_elsewhere_with_the_next_refresh(
    keys: ApiKeys, database: Database, clock: Clock
) -> None:
    elsewhere = ApiKeys(database, clock)
    await elsewhere.refresh()
    key, secret = await keys.create("laptop", ["chat"])
    assert keys.authenticate(secret)
    await elsewhere.refresh()
    assert elsewhere.authenticate(secret).id == key.id
    await keys.delete(key.id)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)
    await elsewhere.refresh()
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(secret)


async def test_keys_survive_a_restart(keys: ApiKeys, database: Database, clock: Clock) -> None:
    _, secret = await keys.create("laptop", ["terminal"])
    restarted = ApiKeys(database, clock)
    with pytest.raises(Unauthenticated):
        restarted.authenticate(secret)
    await restarted.refresh()
    assert restarted.authenticate(secret).scopes == {"terminal"}


async def test_a_key_that_is_not_there_cannot_be_deleted(keys: ApiKeys) -> None:
    with pytest.raises(NotFound):
        await keys.delete("key-nowhere")


async def test_keys_made_at_the_same_time_are_all_there(keys: ApiKeys, database: Database, clock: Clock) -> None:
    other = ApiKeys(database, clock)
    made = await asyncio.gather(*((keys, other)[n % 2].create(f"n{n}", ["chat"]) for n in range(10)))
    for process in (keys, other):
        await process.refresh()
        assert {process.authenticate(secret).id for _, secret in made} == {key.id for key, _ in made}
    assert {key.id for key in await keys.list()} == {key.id for key, _ in made}


async def test_last_use_is_written_now_and_then_and_before_the_end(
    keys: ApiKeys, database: Database, clock: Clock
) -> None:
    _, secret = await keys.create("laptop", ["chat"])

    async def stored() -> object:
        (found,) = (await database.read(api_key_rows.load)).keys.values()
        return found.last_used_at

    used = clock.now
    keys.authenticate(secret)
    await keys.tidy()
    assert await stored() is None
    clock.advance(seconds=30)
    await keys.tidy()
    assert await stored() == used
    keys.authenticate(secret)
    await keys.flush()
    assert await stored() == clock.now
    clock.advance(seconds=1)
    keys.authenticate(secret)
    assert [found.last_used_at for found in await keys.list()] == [clock.now]


def test_the_form_of_a_key() -> None:
    assert is_api_key("mgw_x")
    assert not is_api_key("eyJhbGciOiJIUzI1NiJ9.e30.x")
    assert not is_api_key("mgw_" + "x" * 300)


async def test_while_the_database_is_away_keys_go_on_and_their_use_is_kept(
    postgres: PostgresServer, clock: Clock
) -> None:
    url = postgres.new_database()
    async with Database(url) as database:
        keys = ApiKeys(database, clock)
        await keys.refresh()
        key, secret = await keys.create("laptop", ["chat"])
        postgres.drop(url)
        assert keys.authenticate(secret).id == key.id
        for failing in (keys.refresh, keys.flush, keys.list):
            with pytest.raises(Unavailable):
                await failing()
        with pytest.raises(Unavailable):
            await keys.delete(key.id)
        assert keys.authenticate(secret).id == key.id
        assert keys._used == {key.id: clock.now}


@pytest.mark.parametrize("statements", [1, 2, 3])
async def test_a_key_deleted_while_the_keys_are_being_read_is_gone_with_the_next_look(
    keys: ApiKeys, database: Database, clock: Clock, statements: int
) -> None:
    key, secret = await keys.create("laptop", ["chat"])
    elsewhere = ApiKeys(database, clock)

    def delete(session: Session) -> None:
        api_key_rows.changed(session, lambda session: api_key_rows.delete(session, key.id))

    with another_process_after(database, statements, delete):
        await elsewhere.refresh()
    await elsewhere.refresh()
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(secret)
