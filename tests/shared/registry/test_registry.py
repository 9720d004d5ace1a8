"""The registry: what is acknowledged is stored, visible at once here and at the next refresh elsewhere."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain.models import Model
from shared.errors import Conflict, InvalidInput, NotFound
from shared.registry import seed
from shared.registry.registry import Registry
from shared.storage.database import Database


@pytest.fixture
async def registry(database: Database) -> Registry:
    found = Registry(database)
    await found.load()
    return found


def model(name: str = "own/model:1.5", **more: Any) -> Model:
    return Model(**{"id": name, "provider": "openai", "api_model_name": name, "layer": "L1", **more})


async def reopened(database: Database) -> Registry:
    other = Registry(database)
    await other.load()
    return other


async def test_a_new_registry_holds_the_seed_in_every_layer(registry: Registry) -> None:
    assert set(registry.snapshot.models) == {item.id for item in seed.models()}
    assert all(registry.snapshot.by_layer.values())
    free = registry.snapshot.by_layer["L0"]
    assert all(item.price_per_1k_input_tokens == 0 for item in free)


async def test_the_seed_comes_once(registry: Registry, database: Database) -> None:
    await registry.delete("openai/gpt-6-luna")
    assert "openai/gpt-6-luna" not in (await reopened(database)).snapshot.models


async def test_many_starting_at_once_seed_once(database: Database) -> None:
    found = await asyncio.gather(*(reopened(database) for _ in range(5)))
    assert {len(item.snapshot.models) for item in found} == {len(seed.models())}


async def test_what_is_added_changed_and_deleted_survives_a_restart(registry: Registry, database: Database) -> None:
    price = Decimal("0.000123456789")
    await registry.add(model(price_per_1k_input_tokens=price))
    await registry.update("own/model:1.5", {"priority": 7, "enabled": False})
    found = (await reopened(database)).snapshot.models["own/model:1.5"]
    assert (found.priority, found.enabled, found.price_per_1k_input_tokens) == (7, False, price)
    await registry.delete("own/model:1.5")
    assert "own/model:1.5" not in (await reopened(database)).snapshot.models


async def test_a_change_is_seen_elsewhere_with_the_next_refresh(registry: Registry, database: Database) -> None:
    other = await reopened(database)
    await registry.add(model())
    await registry.toggle_layer("L2", False)
    await other.refresh()
    assert "own/model:1.5" in other.snapshot.models
    assert other.snapshot.layer_enabled["L2"] is False


async def test_two_that_change_at_once_lose_nothing(registry: Registry, database: Database) -> None:
    other = await reopened(database)
    await asyncio.gather(
        *(registry.add(model(f"a{number}")) for number in range(10)),
        *(other.add(model(f"b{number}")) for number in range(10)),
    )
    await asyncio.gather(registry.refresh(), other.refresh())
    wanted = {f"{side}{number}" for side in "ab" for number in range(10)}
    assert wanted <= registry.snapshot.models.keys()
    assert wanted <= other.snapshot.models.keys()


async def test_an_id_is_taken_once(registry: Registry) -> None:
    answers = await asyncio.gather(*(registry.add(model()) for _ in range(5)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 4 + ["Model"]
    with pytest.raises(Conflict):
        await registry.add(model())


@pytest.mark.parametrize("name", ["auto", "L0", "layers"])
async def test_names_with_a_meaning_cannot_be_ids(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidInput):
        await registry.add(model(name))


async def test_unknown_ids_are_answered_with_the_nearest(registry: Registry) -> None:
    for attempt in (registry.update("gpt-6-lunar", {"priority": 1}), registry.delete("gpt-6-lunar")):
        with pytest.raises(NotFound, match="gpt-6-luna"):
            await attempt


async def test_a_wrong_value_changes_nothing(registry: Registry, database: Database) -> None:
    before = registry.snapshot
    with pytest.raises(InvalidInput):
        await registry.update("openai/gpt-6-luna", {"layer": "L9", "priority": 3})
    assert (await reopened(database)).snapshot.models == before.models


async def test_turning_a_layer_off_and_on_leaves_its_models_as_they_were(registry: Registry) -> None:
    await registry.update("openai/gpt-6-luna", {"enabled": False})
    before = registry.snapshot.by_layer["L1"]
    await registry.toggle_layer("L1", False)
    assert not any(registry.snapshot.usable(item) for item in registry.snapshot.by_layer["L1"])
    await registry.toggle_layer("L1", True)
    assert registry.snapshot.by_layer["L1"] == before


async def test_reorder_puts_the_named_first_and_keeps_the_rest_in_order(registry: Registry) -> None:
    before = [item.id for item in registry.snapshot.by_layer["L1"]]
    await registry.reorder("L1", [before[2], before[0]])
    after = registry.snapshot.by_layer["L1"]
    assert [item.id for item in after] == [before[2], before[0], before[1], *before[3:]]
    assert [item.priority for item in after] == list(range(len(before)))


@pytest.mark.parametrize("ids", [["unknown"], ["openai/gpt-6.1-terra"], ["openai/gpt-6-luna"] * 2])
async def test_reorder_refuses_what_is_not_in_the_layer_or_twice(registry: Registry, ids: list[str]) -> None:
    before = registry.snapshot.by_layer["L1"]
    with pytest.raises(InvalidInput):
        await registry.reorder("L1", ids)
    assert registry.snapshot.by_layer["L1"] == before


async def test_a_discovered_model_that_was_deleted_stays_away(registry: Registry, database: Database) -> None:
    found = model("oss-local/llama", provider="oss-local", layer="L0", source="discovered")
    await registry.add_discovered([found])
    assert "oss-local/llama" in registry.snapshot.models
    await registry.update("oss-local/llama", {"priority": 3})
    await registry.add_discovered([found])
    assert registry.snapshot.models["oss-local/llama"].priority == 3
    await registry.delete("oss-local/llama")
    await registry.add_discovered([found])
    assert "oss-local/llama" not in registry.snapshot.models
    await registry.add(model("oss-local/llama"))
    assert "oss-local/llama" in (await reopened(database)).snapshot.models


async def test_listeners_hear_of_each_change_until_they_leave(registry: Registry) -> None:
    heard: list[int] = []
    leave = registry.on_change(lambda: heard.append(registry.snapshot.version))
    await registry.add(model())
    leave()
    await registry.delete("own/model:1.5")
    assert len(heard) == 1


KILLED = """
import asyncio, os, sys
from shared.domain.models import Model
from shared.registry.registry import Registry
from shared.storage.database import Database

async def main():
    registry = Registry(Database(sys.argv[1]))
    await registry.load()
    for number in range(1000):
        await registry.add(Model(id=f"m{number}", provider="openai", api_model_name="x", layer="L3"))
        os.write(1, f"{number}\\n".encode())

asyncio.run(main())
"""


async def test_kill_9_loses_no_acknowledged_change(database: Database, database_url: str) -> None:
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, database_url, stdout=subprocess.PIPE, cwd=root
    )
    assert process.stdout is not None
    acknowledged = [int(await process.stdout.readline()) for _ in range(20)]
    process.kill()
    acknowledged += [int(line) for line in (await process.stdout.read()).split()]
    await process.wait()
    found = (await reopened(database)).snapshot
    assert {f"m{number}" for number in acknowledged} <= found.models.keys()
