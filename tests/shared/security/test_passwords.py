"""Passwords."""

import argon2
import pytest
from argon2.profiles import CHEAPEST

from shared.errors import InvalidInput
from shared.security import passwords as module
from shared.security.passwords import KNOWN_DEFAULTS, Passwords, generated


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(refuse_defaults=True, parameters=CHEAPEST)


async def test_the_right_password_matches_and_no_other(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.matches("correct horse", stored)
    assert not await passwords.matches("correct horse ", stored)
    assert stored != await passwords.hash("correct horse")


async def test_nobody_has_no_password_but_the_same_work_is_done(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noted(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        checked.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    stored = await passwords.hash("correct horse")
    assert not await passwords.matches("wrong", stored)
    assert not await passwords.matches("wrong", None)
    real, dummy = (argon2.extract_parameters(text) for text in checked)
    assert real == dummy


async def test_the_hash_of_nobody_is_well_formed_with_the_shipped_parameters() -> None:
    shipped = Passwords(refuse_defaults=True)
    parameters = argon2.extract_parameters(shipped._nobody)
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
    assert not shipped.outdated(shipped._nobody)
    assert not await shipped.matches("anything", None)


@pytest.mark.parametrize(
    "stored", ["", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "$2b$12$abcdefghijklmnopqrstuv"]
)
async def test_a_damaged_hash_matches_nothing(passwords: Passwords, stored: str) -> None:
    assert not await passwords.matches("anything", stored)


async def test_a_hash_with_other_parameters_is_outdated_but_still_matches(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert not passwords.outdated(stored)
    shipped = Passwords(refuse_defaults=True)
    assert shipped.outdated(stored)
    assert await shipped.matches("correct horse", stored)


@pytest.mark.parametrize("password", ["admin123", "ADMIN123", "changeme", "short", ""])
async def test_guessable_passwords_are_refused_even_when_stored(passwords: Passwords, password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.check(password)
    assert refused.value.code == "weak_password"
    stored = await passwords.hash(password)
    assert not await passwords.matches(password, stored)


async def test_on_a_local_machine_they_are_allowed() -> None:
    local = Passwords(refuse_defaults=False, parameters=CHEAPEST)
    local.check("admin123")
    assert await local.matches("admin123", await local.hash("admin123"))


async def test_any_text_can_be_tried(passwords: Passwords) -> None:
    for text in ("\ud800 lone surrogate", "a nul \x00 inside", "ü" * 1024):
        assert await passwords.matches(text, await passwords.hash(text))


def test_the_known_defaults_are_written_as_they_are_compared() -> None:
    assert {text.casefold() for text in KNOWN_DEFAULTS} == KNOWN_DEFAULTS


def test_a_generated_password_is_long_and_new() -> None:
    assert len(generated()) == 24
    assert generated() != generated()
    assert module.SHORTEST <= 24
