"""Login, status, verify and logout, through the door that the surfaces use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from argon2.profiles import CHEAPEST

from shared.domain.audit import AuditQuery
from shared.domain.identity import ANONYMOUS, LOCAL, Caller
from shared.errors import InvalidInput, Unauthenticated
from shared.operations import auth
from shared.operations.dispatch import call
from shared.security.accounts import Accounts
from shared.security.audit import AuditTrail
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.passwords import Passwords
from shared.security.rate_limits import LoginAttempts
from shared.security.redaction import Redactor
from shared.security.tokens import Tokens
from shared.storage.database import Database

PASSWORD = "correct horse"
CALLER = replace(ANONYMOUS, address="10.0.0.1", request_id="r-1")

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def gateway(database: Database) -> Any:
    accounts = Accounts(
        database,
        Passwords(refuse_defaults=True, parameters=CHEAPEST),
        Tokens(b"0123456789abcdefghijklmnopqrstuvwxyz", lifetime=timedelta(hours=1), clock=now),
        LoginAttempts(Windows(MemoryWindows()), per_minute=10),
        now,
    )
    await accounts.ensure_admin("admin", PASSWORD)
    settings = SimpleNamespace(auth_mode="required")
    return SimpleNamespace(accounts=accounts, audit=AuditTrail(database, now, Redactor()), settings=settings)


async def logged_in(gateway: Any) -> tuple[str, Caller]:
    login = await call(gateway, CALLER, auth.LOGIN, {"username": "admin", "password": PASSWORD})
    return login.token, gateway.accounts.authenticate(login.token)


async def audited(gateway: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    entries = (await gateway.audit.query(AuditQuery())).entries
    return [(entry.action, entry.outcome, entry.address, entry.details) for entry in entries]


async def test_a_login_answers_with_a_token_and_its_user_and_nothing_else(gateway: Any) -> None:
    login = await call(gateway, CALLER, auth.LOGIN, {"username": "admin", "password": PASSWORD})
    answer = login.model_dump(mode="json", by_alias=True)
    assert set(answer) == {"token", "user"}
    assert set(answer["user"]) == {"id", "username", "role"}
    assert (answer["user"]["username"], answer["user"]["role"]) == ("admin", "admin")
    assert gateway.accounts.authenticate(answer["token"]).id == answer["user"]["id"]
    assert answer["token"] not in repr(login)


async def test_logins_are_recorded_without_the_password(gateway: Any) -> None:
    await logged_in(gateway)
    with pytest.raises(Unauthenticated):
        await call(gateway, CALLER, auth.LOGIN, {"username": "nobody", "password": "hunter2hunter2"})
    assert await audited(gateway) == [
        ("login", "wrong_credentials", "10.0.0.1", {"username": "nobody"}),
        ("login", "ok", "10.0.0.1", {"username": "admin"}),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"username": "admin"},
        {"username": "admin", "password": 7},
        {"username": "", "password": "x"},
        {"username": "a\x00", "password": "x"},
        {"username": "\ud800", "password": "x"},
        {"username": "admin", "password": "\ud800"},
        {"username": "admin", "password": "x" * 1025},
        {"username": "admin", "password": "secret-value", "extra": 1},
    ],
)
async def test_malformed_logins_are_bad_input_and_never_repeated(gateway: Any, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await call(gateway, CALLER, auth.LOGIN, payload)
    assert "secret-value" not in f"{refused.value.message} {refused.value.details}"


async def test_the_status_tells_as_whom_one_came(gateway: Any) -> None:
    _, caller = await logged_in(gateway)
    status = (await call(gateway, caller, auth.AUTH_STATUS, {})).model_dump(mode="json", by_alias=True)
    assert status == {
        "authMode": "required",
        "authenticated": True,
        "kind": "user",
        "name": "admin",
        "scopes": ["admin", "chat", "metrics", "models:read", "models:write", "terminal"],
        "user": {"id": caller.id, "username": "admin", "role": "admin"},
    }
    with pytest.raises(Unauthenticated):
        await call(gateway, CALLER, auth.AUTH_STATUS, {})


async def test_the_local_user_came_without_authentication(gateway: Any) -> None:
    gateway.settings.auth_mode = "local"
    status = (await call(gateway, LOCAL, auth.AUTH_STATUS, {})).model_dump(mode="json", by_alias=True)
    assert (status["authMode"], status["authenticated"], status["kind"]) == ("local", False, "local")
    assert "user" not in status


async def test_a_token_can_be_looked_at(gateway: Any) -> None:
    token, caller = await logged_in(gateway)
    found = await call(gateway, CALLER, auth.VERIFY_TOKEN, {"token": token})
    assert found.model_dump(mode="json", by_alias=True) == {
        "valid": True,
        "user": {"id": caller.id, "username": "admin", "role": "admin"},
    }
    for wrong in (token[:-2], "nonsense", "ü"):
        found = await call(gateway, CALLER, auth.VERIFY_TOKEN, {"token": wrong})
        assert found.model_dump(mode="json", by_alias=True) == {"valid": False}


async def test_a_logout_revokes_the_token_it_came_with(gateway: Any) -> None:
    token, caller = await logged_in(gateway)
    answer = await call(gateway, caller, auth.LOGOUT, {})
    assert answer.model_dump(mode="json", by_alias=True) == {"success": True}
    assert not (await call(gateway, CALLER, auth.VERIFY_TOKEN, {"token": token})).valid
    assert (await audited(gateway))[0][:2] == ("logout", "ok")


async def test_without_a_login_there_is_no_logout(gateway: Any) -> None:
    with pytest.raises(Unauthenticated):
        await call(gateway, CALLER, auth.LOGOUT, {})
    with pytest.raises(InvalidInput):
        await call(gateway, LOCAL, auth.LOGOUT, {})
