"""The policy in force: from a file, then from what was put, in every process."""

import json
import os
from pathlib import Path

import pytest

from shared.domain.policy import CommandPolicy
from shared.errors import Unavailable
from shared.storage.database import Database
from shared.terminal.policy import policy_file
from shared.terminal.policy.live import LivePolicy

TEXT = '[[policies]]\nname = "{name}"\n[[policies.rules]]\naction = "deny"\ncommands = ["rm"]\n'


def write(path: Path, text: str) -> None:
    """Put a file in place as editors do, with another time each time."""
    stamp = path.stat().st_mtime_ns + 1_000_000 if path.exists() else None
    path.write_text(text)
    if stamp is not None:
        os.utime(path, ns=(stamp, stamp))


def names(live: LivePolicy) -> list[str]:
    return [policy.name for policy in live.current.policies]


async def test_without_a_file_nothing_is_in_force(database: Database, tmp_path: Path) -> None:
    live = LivePolicy(database, tmp_path / "policy.toml")
    await live.load()
    assert not live.active
    assert (live.state.source, live.state.version) == ("none", 0)


async def test_a_file_is_taken_over_when_it_changes(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    write(file, TEXT.format(name="one"))
    live = LivePolicy(database, file)
    await live.load()
    assert (names(live), live.state.source) == (["one"], "file")
    write(file, TEXT.format(name="two"))
    await live.refresh()
    assert names(live) == ["two"]
    write(file, "nonsense")
    await live.refresh()
    assert names(live) == ["two"]
    file.unlink()
    await live.refresh()
    assert not live.active


async def test_what_is_put_goes_before_the_file_and_reaches_others(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    write(file, TEXT.format(name="file"))
    one, other = LivePolicy(database, file), LivePolicy(database, file)
    await one.load()
    await other.load()
    state = await one.put(CommandPolicy.model_validate({"policies": [{"name": "put"}]}))
    assert (state.source, state.version) == ("stored", 1)
    await other.refresh()
    assert names(other) == ["put"]
    again = LivePolicy(database, file)
    await again.load()
    assert names(again) == ["put"]
    await other.put(CommandPolicy())
    await one.refresh()
    assert (names(one), one.state.source) == ([], "stored")
    await other.put(None)
    await one.refresh()
    assert (names(one), one.state.source) == (["file"], "file")


async def test_a_file_that_was_named_has_to_be_there_and_does_not_end_by_going(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "named.json"
    live = LivePolicy(database, file, wanted=True)
    with pytest.raises(Unavailable, match="TERMINAL_POLICY_FILE"):
        await live.load()
    file.write_text(json.dumps({"policies": [{"name": "json"}]}))
    await live.load()
    file.unlink()
    await live.refresh()
    assert names(live) == ["json"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("policies = 1", "policies: "),
        ("[[policies]]\n", "name"),
        ('[[policies]]\nname = "x"\ndefault = "maybe"', "default"),
        ('[[policies]]\nname = "x"\nrool = []', "rool"),
        ('[[policies]]\nname = "x"\n[[policies.rules]]\naction = "deny"', "needs one of"),
        ("= 1", "cannot be used"),
        ("\xff", "cannot be used"),
    ],
)
def test_a_file_with_mistakes_is_refused_with_each_of_them(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(Unavailable) as refused:
        policy_file.load(file)
    assert refused.value.code == "wrong_policy"
    assert told in refused.value.message
