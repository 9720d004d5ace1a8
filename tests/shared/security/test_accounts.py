"""Accounts and logins."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2.profiles import CHEAPEST
from sqlmodel import Session

from shared.domain.identity import LOCAL, SCOPES
from shared.errors import InvalidInput, NotFound, RateLimited, Unauthenticated, Unavailable
from shared.security.accounts import Accounts
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.passwords import Passwords
from shared.security.rate_limits import LoginAttempts
from shared.security.tokens import Tokens
from shared.storage import user_rows
from shared.storage.database import Database
from tests.support.clock import Clock
from tests.support.databases import PostgresServer, another_process_after

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyz"
PASSWORD = "correct horse"

Opened = Callable[..., Accounts]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Opened:
    """Accounts as one process holds them."""

    def open_accounts(database: Database, *, refuse_defaults: bool = True) -> Accounts:
        return Accounts(
            database,
            Passwords(refuse_defaults=refuse_defaults, parameters=CHEAPEST),
            Tokens(SECRET, lifetime=timedelta(hours=12), clock=clock),
            LoginAttempts(Windows(MemoryWindows(clock.seconds)), per_minute=10),
            clock,
        )

    return open_accounts


@pytest.fixture
async def accounts(database: Database, opened: Opened) -> Accounts:
    """With an administrator whose password is known."""
    made = opened(database)
    await made.ensure_admin("admin", PASSWORD)
    return made


async def test_the_first_start_makes_a_password_and_tells_it_once(database: Database, opened: Opened) -> None:
    accounts = opened(database)
    password = await accounts.ensure_admin("admin")
    assert password is not None
    assert (await accounts.login("admin", password, "10.0.0.1")).user.role == "admin"
    assert await accounts.ensure_admin("admin") is None
    assert await opened(database).ensure_admin("admin") is None
    assert (await accounts.login("admin", password, "10.0.0.1")).user.username == "admin"


async def test_of_several_processes_that_start_at_once_one_makes_the_password(
    database: Database, opened: Opened
) -> None:
    url = database.url.render_as_string(hide_password=False)
    databases = [Database(url) for _ in range(4)]
    processes = [opened(each) for each in databases]
    answers = await asyncio.gather(*(process.ensure_admin("admin") for process in processes))
    (password,) = [answer for answer in answers if answer]
    for process in processes:
        assert (await process.login("admin", password, "10.0.0.1")).token
    for each in databases:
        await each.__aexit__()


async def test_a_given_password_is_set_and_ends_what_was_logged_in_with_the_old_one(
    accounts: Accounts, clock: Clock
) -> None:
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    clock.advance(seconds=1)
    assert await accounts.ensure_admin("admin", PASSWORD) is None
    assert accounts.authenticate(token).name == "admin"
    assert await accounts.ensure_admin("admin", "battery staple") is None
    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)
    with pytest.raises(Unauthenticated):
        await accounts.login("admin", PASSWORD, "10.0.0.1")
    clock.advance(seconds=1)
    assert accounts.authenticate((await accounts.login("admin", "battery staple", "10.0.0.1")).token)


@pytest.mark.parametrize("password", ["admin123", "changeme", "short"])
async def test_a_default_password_is_refused_unless_all_is_local(
    database: Database, opened: Opened, password: str
) -> None:
    with pytest.raises(InvalidInput):
        await opened(database).ensure_admin("admin", password)
    assert await database.read(lambda session: user_rows.find(session, "admin")) is None
    local = opened(database, refuse_defaults=False)
    await local.ensure_admin("admin", password)
    assert await local.login("admin", password, "127.0.0.1")
    with pytest.raises(Unauthenticated):
        await opened(database).login("admin", password, "127.0.0.1")


async def test_every_mismatch_gets_the_same_answer(accounts: Accounts) -> None:
    said = set()
    for username, password in (("admin", "wrong"), ("nobody", PASSWORD), ("Admin", PASSWORD), ("admin", "")):
        with pytest.raises(Unauthenticated) as refused:
            await accounts.login(username, password, "10.0.0.1")
        said.add((refused.value.message, refused.value.code, str(refused.value.details)))
    assert len(said) == 1


async def test_a_token_stands_for_its_user(accounts: Accounts) -> None:
    login = await accounts.login("admin", PASSWORD, "10.0.0.1")
    caller = accounts.authenticate(login.token, address="10.0.0.9", request_id="r-1")
    assert (caller.id, caller.kind, caller.name, caller.role) == (login.user.id, "user", "admin", "admin")
    assert (caller.address, caller.request_id) == ("10.0.0.9", "r-1")
    assert caller.scopes == SCOPES


async def test_a_token_without_its_user_is_worth_nothing(accounts: Accounts, clock: Clock) -> None:
    stranger = Tokens(SECRET, lifetime=timedelta(hours=1), clock=clock).issue("user-gone")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(stranger)


async def test_a_token_ends_after_its_hours(accounts: Accounts, clock: Clock) -> None:
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    clock.advance(hours=11, minutes=59)
    accounts.authenticate(token)
    clock.advance(minutes=1)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)


async def test_a_logout_counts_at_once_here_and_elsewhere_with_the_next_refresh(
    accounts: Accounts, database: Database, opened: Opened
) -> None:
    elsewhere = opened(database)
    await elsewhere.refresh()
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    other = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    await accounts.logout(elsewhere.authenticate(token))
    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)
    await elsewhere.refresh()
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(token)
    assert accounts.authenticate(other) == elsewhere.authenticate(other)


async def test_a_logout_survives_a_restart(accounts: Accounts, database: Database, opened: Opened) -> None:
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    await accounts.logout(accounts.authenticate(token))
    restarted = opened(database)
    await restarted.refresh()
    with pytest.raises(Unauthenticated):
        restarted.authenticate(token)


async def test_only_a_login_can_be_logged_out(accounts: Accounts) -> None:
    with pytest.raises(InvalidInput):
        await accounts.logout(LOCAL)


async def test_a_new_password_voids_every_token(accounts: Accounts, clock: Clock) -> None:
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    clock.advance(milliseconds=1)
    await accounts.set_password("admin", "battery staple")
    with pytest.raises(Unauthenticated):
        accounts.authenticate(token)
    clock.advance(milliseconds=1)
    assert accounts.authenticate((await accounts.login("admin", "battery staple", "10.0.0.1")).token)


async def test_a_password_is_set_for_a_user_there_is_and_not_a_weak_one(accounts: Accounts) -> None:
    with pytest.raises(NotFound):
        await accounts.set_password("nobody", "battery staple")
    with pytest.raises(InvalidInput):
        await accounts.set_password("admin", "password")
    assert await accounts.login("admin", PASSWORD, "10.0.0.1")


async def test_ten_failures_a_minute_even_all_at_once_and_no_lasting_lock(accounts: Accounts, clock: Clock) -> None:
    async def attempt() -> type[BaseException]:
        with pytest.raises((Unauthenticated, RateLimited)) as refused:
            await accounts.login("admin", "wrong", "10.0.0.1")
        return refused.type

    outcomes = await asyncio.gather(*(attempt() for _ in range(40)))
    assert outcomes.count(Unauthenticated) == 10
    assert outcomes.count(RateLimited) == 30
    with pytest.raises(RateLimited):
        await accounts.login("admin", PASSWORD, "10.0.0.1")
    assert await accounts.login("admin", PASSWORD, "10.0.0.2")
    clock.advance(seconds=61)
    assert await accounts.login("admin", PASSWORD, "10.0.0.1")


async def test_successes_do_not_count_as_attempts(accounts: Accounts) -> None:
    for _ in range(12):
        await accounts.login("admin", PASSWORD, "10.0.0.1")


async def test_an_old_hash_is_renewed_at_login_and_tokens_go_on(database: Database, opened: Opened) -> None:
    accounts = opened(database)
    await accounts.ensure_admin("admin", PASSWORD)
    account = await database.read(lambda session: user_rows.find(session, "admin"))
    assert account is not None
    old = await Passwords(refuse_defaults=False, parameters=replace(CHEAPEST, time_cost=2)).hash(PASSWORD)
    await database.run(lambda session: user_rows.set_password(session, account.id, old, None))
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    renewed = await database.read(lambda session: user_rows.find(session, "admin"))
    assert renewed is not None
    assert renewed.password_hash != old
    assert "m=8,t=1,p=1" in renewed.password_hash
    assert accounts.authenticate(token).name == "admin"


async def test_a_change_by_another_process_costs_one_read_and_nothing_when_there_is_none(
    accounts: Accounts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    load = user_rows.load
    monkeypatch.setattr(user_rows, "load", lambda session: loads.append(1) or load(session))
    await accounts.refresh()
    assert loads == []
    await database.run(lambda session: user_rows.changed(session, lambda _: True))
    loads.clear()
    await accounts.refresh()
    await accounts.refresh()
    assert loads == [1]


async def test_while_the_database_is_away_tokens_go_on_and_logins_do_not(
    postgres: PostgresServer, opened: Opened
) -> None:
    url = postgres.new_database()
    async with Database(url) as database:
        accounts = opened(database)
        await accounts.ensure_admin("admin", PASSWORD)
        token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
        postgres.drop(url)
        assert accounts.authenticate(token).name == "admin"
        for _ in range(12):  # being away is no failed login
            with pytest.raises(Unavailable):
                await accounts.login("admin", PASSWORD, "10.0.0.1")
        with pytest.raises(Unavailable):
            await accounts.refresh()
        with pytest.raises(Unavailable):
            await accounts.logout(accounts.authenticate(token))
        assert accounts.authenticate(token).name == "admin"


@pytest.mark.parametrize("statements", [1, 2, 3, 4])
async def test_a_logout_while_the_accounts_are_being_read_counts_with_the_next_look(
    accounts: Accounts, database: Database, opened: Opened, clock: Clock, statements: int
) -> None:
    token = (await accounts.login("admin", PASSWORD, "10.0.0.1")).token
    token_id = accounts.authenticate(token).token_id
    assert token_id is not None
    elsewhere = opened(database)

    def log_out(session: Session) -> None:
        expires_at = clock.now + timedelta(hours=24)
        user_rows.changed(session, lambda session: user_rows.revoke(session, token_id, expires_at, clock.now))

    with another_process_after(database, statements, log_out):
        await elsewhere.refresh()
    await elsewhere.refresh()
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(token)
