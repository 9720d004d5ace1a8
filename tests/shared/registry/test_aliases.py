"""The aliases in force: changed at once, kept, seen by other processes."""

from typing import Any

from sqlmodel import Session

from shared.domain.aliases import Alias, default_aliases
from shared.registry.aliases import FACT, VERSION, LiveAliases
from shared.storage import facts
from shared.storage.database import Database

RULES = (Alias(name="opus", targets=["L1"]),)


async def live(database: Database) -> LiveAliases:
    found = LiveAliases(database)
    await found.refresh()
    return found


async def test_a_change_is_in_force_at_once_kept_and_seen_by_others(database: Database) -> None:
    one, other = await live(database), await live(database)
    assert (one.table, one.are_default) == (default_aliases(), True)
    await one.replace(RULES)
    assert (one.table, one.are_default) == (RULES, False)
    assert other.are_default
    await other.refresh()
    assert other.table == (await live(database)).table == RULES


async def test_none_returns_to_the_default_rules_and_no_rules_are_rules_too(database: Database) -> None:
    aliases = await live(database)
    await aliases.replace(())
    assert (await live(database)).table == ()
    await aliases.replace(None)
    assert (await live(database)).are_default


async def test_rules_of_another_version_are_read_or_noted(database: Database) -> None:
    async def stored(value: Any) -> LiveAliases:
        def work(session: Session) -> None:
            facts.next_version(session, VERSION)
            facts.write(session, FACT, value)

        await database.run(work)
        return await live(database)

    assert (await stored([{"name": "a", "targets": ["L0"], "mood": 1}])).table == (Alias(name="a", targets=["L0"]),)
    assert database.unreadable.counts == {}
    assert (await stored([{"name": "a"}])).are_default
    assert database.unreadable.counts == {"aliases": 1}
    await (await live(database)).replace(RULES)
    assert database.unreadable.counts == {}
