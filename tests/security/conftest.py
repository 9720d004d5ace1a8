"""Two gateways that are attacked from outside: one open on loopback, one that asks everybody who they are."""

from collections.abc import Iterator

import pytest

from tests.support.children import these_last
from tests.support.scripted_process import scripted_process
from tests.support.victim import Victim, attacked

MODEL = {"id": "scripted/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0"}
CANARY = "sk-canary-1f0e8d7c6b5a4938"
"""The provider key that must never be seen outside."""


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """Base URL of a provider that answers."""
    with scripted_process() as url:
        these_last()
        yield url


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Victim]:
    keys = {"OPENAI_BASE_URL": provider, "OPENAI_API_KEY": CANARY}
    with attacked(tmp_path_factory.mktemp("local"), **keys) as victim:
        these_last()
        _with_one_model(victim)
        yield victim


@pytest.fixture(scope="session")
def required(tmp_path_factory: pytest.TempPathFactory, provider: str) -> Iterator[Victim]:
    keys = {"OPENAI_BASE_URL": provider, "OPENAI_API_KEY": CANARY, "AUTH_MODE": "required"}
    with attacked(tmp_path_factory.mktemp("required"), **keys) as victim:
        these_last()
        _with_one_model(victim)
        for name, scopes in (("alice", ["chat", "models:read", "terminal"]), ("bob", ["chat", "terminal"])):
            made = victim.http.post("/v1/keys", json={"name": name, "scopes": scopes}, headers=victim.admin)
            assert made.status_code == 201, made.text
            victim.keys[name] = {"Authorization": f"Bearer {made.json()['secret']}"}
        yield victim


@pytest.fixture(scope="session")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One with little patience and little room."""
    limits = {
        "AUTH_MODE": "required",
        "HEADER_TIMEOUT": "0.4",
        "BODY_TIMEOUT": "0.4",
        "STALL_TIMEOUT": "0.4",
        "MAX_CONNECTIONS": "20",
        "RATE_LIMIT_PER_MINUTE": "12",
        "LOGIN_ATTEMPTS_PER_MINUTE": "5",
    }
    with attacked(tmp_path_factory.mktemp("tight"), **limits) as victim:
        these_last()
        yield victim


@pytest.fixture(params=["local", "required"])
def either(request: pytest.FixtureRequest) -> Victim:
    """Each of them in turn."""
    victim: Victim = request.getfixturevalue(request.param)
    return victim


def _with_one_model(victim: Victim) -> None:
    made = victim.http.post("/v1/models", json=MODEL, headers=victim.admin)
    assert made.status_code == 201, made.text
