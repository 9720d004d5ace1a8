"""Sealed secrets."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session

from shared.errors import InvalidInput, Unavailable
from shared.security.secrets_box import SecretsBox
from shared.storage.database import Database
from shared.storage.tables import ProviderRow

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_what_is_sealed_can_be_opened_and_not_read() -> None:
    box = SecretsBox(NEW)
    sealed = box.seal("hunter2 ü")
    assert box.open(sealed) == "hunter2 ü"
    assert "hunter2" not in sealed
    assert box.seal("hunter2 ü") != sealed


def test_a_changed_or_foreign_seal_does_not_open() -> None:
    sealed = SecretsBox(OTHER).seal("hunter2")
    box = SecretsBox(NEW)
    for text in (sealed, box.seal("x")[:-4] + "AAA=", "", "nonsense", "ü"):
        with pytest.raises(Unavailable) as refused:
            box.open(text)
        assert "hunter2" not in str(refused.value)


def test_older_keys_still_open_and_the_newest_seals() -> None:
    sealed = SecretsBox(OLD).seal("hunter2")
    both = SecretsBox(f" {NEW} , {OLD},")
    assert both.open(sealed) == "hunter2"
    assert SecretsBox(NEW).open(both.seal("later")) == "later"


@pytest.mark.parametrize(
    "keys",
    ["", ",", "short", "x" * 44, "ü" * 44, pytest.param(f"{NEW},short", id="a good one and a short one"), "\ud800"],
)
def test_malformed_keys_are_refused_and_not_repeated(keys: str) -> None:
    with pytest.raises(InvalidInput, match="SECRETS_KEY") as refused:
        SecretsBox(keys)
    assert NEW not in str(refused.value)


def test_a_key_is_made_and_kept_unless_one_is_set(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    SecretsBox.from_setting(NEW, file)
    assert not file.exists()
    sealed = SecretsBox.from_setting("", file).seal("hunter2")
    assert SecretsBox.from_setting("", file).open(sealed) == "hunter2"


def test_a_damaged_key_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput):
        SecretsBox.from_setting("", file)
    assert file.read_bytes() == b"\xff\xfe"


async def provider_key(database: Database) -> str:
    row = await database.read(lambda session: session.get(ProviderRow, "openai"))
    assert row is not None
    return str(row.sealed_key)


async def store(database: Database, sealed: str) -> None:
    def work(session: Session) -> None:
        session.add(ProviderRow(name="openai", dialect="openai", sealed_key=sealed))

    await database.run(work)


async def test_the_same_key_starts_again_and_another_does_not(database: Database) -> None:
    await SecretsBox(NEW).verify_against(database)
    await SecretsBox(NEW).verify_against(database)
    await store(database, SecretsBox(NEW).seal("hunter2"))
    before = await provider_key(database)
    with pytest.raises(InvalidInput) as refused:
        await SecretsBox(OTHER).verify_against(database)
    assert refused.value.code == "wrong_secrets_key"
    assert await provider_key(database) == before
    await SecretsBox(NEW).verify_against(database)


async def test_a_rotation_lets_the_old_key_go(database: Database) -> None:
    await SecretsBox(OLD).verify_against(database)
    await store(database, SecretsBox(OLD).seal("hunter2"))
    await SecretsBox(f"{OLD},{NEW}").verify_against(database)
    assert SecretsBox(OLD).open(await provider_key(database)) == "hunter2"
    await SecretsBox(f"{NEW},{OLD}").verify_against(database)
    assert SecretsBox(NEW).open(await provider_key(database)) == "hunter2"
    await SecretsBox(NEW).verify_against(database)
    with pytest.raises(InvalidInput):
        await SecretsBox(OLD).verify_against(database)


async def test_a_rotation_leaves_what_nobody_can_open_as_it_is(database: Database) -> None:
    await SecretsBox(OLD).verify_against(database)
    lost = SecretsBox(OTHER).seal("hunter2")
    await store(database, lost)
    await SecretsBox(f"{NEW},{OLD}").verify_against(database)
    assert await provider_key(database) == lost
