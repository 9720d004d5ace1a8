"""The live configuration: changed at once, kept, seen by others."""

from decimal import Decimal

from shared.domain.configuration import Configuration
from shared.registry.configuration import LiveConfiguration
from shared.storage.database import Database

DEFAULTS = Configuration(default_layer="L1")


async def live(database: Database, seen: list[Configuration] | None = None) -> LiveConfiguration:
    found = LiveConfiguration(database, DEFAULTS, (seen if seen is not None else []).append)
    await found.refresh()
    return found


async def test_a_change_is_in_force_at_once_and_after_a_restart(database: Database) -> None:
    seen: list[Configuration] = []
    configuration = await live(database, seen)
    assert configuration.current == DEFAULTS
    await configuration.update({"log_level": "debug", "cost_alert_threshold": Decimal("0.3")})
    assert seen[-1].log_level == "debug"
    again = (await live(database)).current
    assert (again.log_level, again.cost_alert_threshold, again.default_layer) == ("debug", Decimal("0.3"), "L1")


async def test_what_was_not_changed_follows_the_settings(database: Database) -> None:
    await (await live(database)).update({"log_level": "debug"})
    other = LiveConfiguration(database, Configuration(default_layer="L3"), lambda _: None)
    await other.refresh()
    assert (other.current.default_layer, other.current.log_level) == ("L3", "debug")


async def test_another_process_sees_it_with_its_next_refresh(database: Database) -> None:
    one, other = await live(database), await live(database)
    await one.update({"enable_auto_escalate": True})
    await other.refresh()
    assert other.current.enable_auto_escalate


async def test_none_returns_a_value_to_its_setting(database: Database) -> None:
    configuration = await live(database)
    await configuration.update({"default_layer": "L3", "log_level": "debug"})
    await configuration.update({"default_layer": None})
    assert (configuration.current.default_layer, configuration.current.log_level) == ("L1", "debug")
    assert (await live(database)).current.default_layer == "L1"
