"""Who is gone: keys that were deleted or have expired, users who were removed, and nobody else."""

from datetime import timedelta

from shared.security.api_keys import ApiKeys
from shared.security.departures import Departures, Gone
from shared.storage.database import Database
from tests.support.clock import Clock


class Users:
    def knows(self, caller_id: str) -> bool:
        return caller_id == "user-here"


async def test_a_key_is_gone_once_it_is_deleted_or_has_expired(database: Database) -> None:
    clock = Clock()
    keys = ApiKeys(database, clock)
    await keys.refresh()
    departures = Departures(keys, Users())
    (lasting, _), (ending, _) = [
        await keys.create("k", ["chat"], expires_at=clock() + timedelta(hours=hours)) for hours in (2, 1)
    ]
    assert not departures.is_gone(lasting.id)
    assert not departures.is_gone(ending.id)
    clock.advance(hours=1)
    assert departures.is_gone(ending.id)
    assert not departures.is_gone(lasting.id)
    await keys.delete(lasting.id)
    assert departures.is_gone(lasting.id)


async def test_a_user_is_gone_once_they_are_removed_and_the_local_user_never(database: Database) -> None:
    departures = Departures(ApiKeys(database, Clock()), Users())
    assert departures.is_gone("user-gone")
    assert not departures.is_gone("user-here")
    assert not departures.is_gone("local")


async def test_who_watches_last_is_asked_first_and_only_while_they_watch(database: Database) -> None:
    departures = Departures(ApiKeys(database, Clock()), Users())
    asked: list[str] = []

    def watch(name: str) -> None:
        def end(gone: Gone) -> None:
            assert gone("user-gone")
            asked.append(name)

        forget[name] = departures.watch(end)

    forget = {}
    watch("inner")
    watch("outer")
    await departures.look()
    forget["outer"]()
    await departures.look()
    assert asked == ["outer", "inner", "inner"]
