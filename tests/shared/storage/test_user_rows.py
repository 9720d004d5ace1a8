"""User rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from shared.domain.accounts import Account
from shared.storage import user_rows
from shared.storage.database import Database

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
ANNA = Account(id="user-1", username="anna", role="admin", password_hash="$argon2id$…", created_at=NOON)


async def test_an_account_comes_back_as_it_went_in_times_aware(database: Database) -> None:
    assert await database.run(lambda session: user_rows.add(session, ANNA))
    assert await database.read(lambda session: user_rows.find(session, "anna")) == ANNA
    assert await database.read(lambda session: user_rows.find(session, "Anna")) is None


async def test_a_time_of_another_zone_is_stored_as_the_same_moment(database: Database) -> None:
    abroad = replace(ANNA, created_at=NOON.astimezone(timezone(timedelta(hours=9))))
    await database.run(lambda session: user_rows.add(session, abroad))
    found = await database.read(lambda session: user_rows.find(session, "anna"))
    assert found is not None
    assert found.created_at == NOON
    assert found.created_at.tzinfo is UTC


async def test_a_name_that_is_taken_is_not_added_again(database: Database) -> None:
    await database.run(lambda session: user_rows.add(session, ANNA))
    twin = replace(ANNA, id="user-2")
    assert not await database.run(lambda session: user_rows.add(session, twin))


async def test_a_change_comes_with_a_new_version_and_what_is_there_then(database: Database) -> None:
    before = await database.read(user_rows.load)
    added, after = await database.run(
        lambda session: user_rows.changed(session, lambda inner: user_rows.add(inner, ANNA))
    )
    assert added
    assert after.version == before.version + 1 == await database.read(user_rows.version)
    assert after.accounts == {"user-1": ANNA}


async def test_a_new_password_can_leave_the_tokens_as_they_are(database: Database) -> None:
    await database.run(lambda session: user_rows.add(session, replace(ANNA, tokens_valid_after=NOON)))
    assert await database.run(lambda session: user_rows.set_password(session, "user-1", "other", None))
    found = await database.read(lambda session: user_rows.find(session, "anna"))
    assert found == replace(ANNA, password_hash="other", tokens_valid_after=NOON)
    assert not await database.run(lambda session: user_rows.set_password(session, "nobody", "other", None))


async def test_revoked_tokens_are_forgotten_once_they_have_expired(database: Database) -> None:
    hour = timedelta(hours=1)
    for token, expires in (("old", NOON - hour), ("new", NOON + hour), ("new", NOON + hour)):
        await database.run(lambda session, t=token, e=expires: user_rows.revoke(session, t, e, NOON))  # type: ignore[misc]
    assert (await database.read(user_rows.load)).revoked == {"new": NOON + hour}
