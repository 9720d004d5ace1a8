"""What goes on in the background: seen when it dies, and never held up by a neighbour."""

import asyncio
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared import upkeep
from shared.domain.identity import LOCAL
from shared.domain.models import Model
from shared.errors import GatewayError, InvalidInput, Unavailable
from shared.gateway import Gateway, open_gateway
from shared.operations import dispatch
from shared.operations.terminals import OPEN_TERMINAL
from shared.providers.base import FoundModel, Probe
from shared.storage import listener
from shared.usage import price_list, pricing
from tests.support.databases import PostgresServer
from tests.support.http_gateway import PASSWORD, settings_for
from tests.support.waiting import until

SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
JWT_SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("error", [Unavailable("the database is away"), InvalidInput("a row cannot be read")])
async def test_one_part_that_cannot_refresh_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: GatewayError
) -> None:
    async def failing(*_: Any) -> None:
        raise error

    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.01)
    async with open_gateway(settings_for(tmp_path)) as one, open_gateway(settings_for(tmp_path)) as other:
        monkeypatch.setattr(other.accounts, "refresh", failing)
        monkeypatch.setattr(other.registry, "refresh", failing)
        key, secret = await one.api_keys.create("k", ["chat"])
        await until(lambda: known(other, secret))
        await one.api_keys.delete(key.id)
        await until(lambda: not known(other, secret))
        assert other.jobs.restarting == ()


def known(gateway: Gateway, secret: str) -> bool:
    try:
        gateway.api_keys.authenticate(secret)
    except Exception:  # noqa: BLE001 - whatever the refusal is
        return False
    return True


async def test_what_ran_for_a_caller_ends_in_every_process_once_one_has_let_them_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.01)
    async with open_gateway(settings_for(tmp_path)) as one, open_gateway(settings_for(tmp_path)) as other:
        key, secret = await one.api_keys.create("k", ["terminal"])
        await one.accounts.add("ann", "admin", PASSWORD)
        token = (await one.accounts.login("ann", PASSWORD, "127.0.0.1")).token
        await until(lambda: known(other, secret))
        own = {"type": "local"}
        for caller in (LOCAL, other.api_keys.authenticate(secret), one.accounts.authenticate(token)):
            await dispatch.call(other, caller, OPEN_TERMINAL, own)
        assert len(other.terminals) == 3
        await one.api_keys.delete(key.id)
        await until(lambda: len(other.terminals) == 2)
        await one.accounts.remove("ann")
        await until(lambda: len(other.terminals) == 1)
        assert len(other.terminals.list(LOCAL.id)) == 1


async def test_a_change_is_noticed_without_polling_and_without_changes_nothing_wakes(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sys.platform.startswith("linux") and database_url.startswith("sqlite"):
        pytest.skip("without inotify SQLite is polled")
    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(upkeep, "READ_SECONDS", 3600.0)
    shared = {"database_url": database_url, "secrets_key": SECRETS_KEY, "jwt_secret": JWT_SECRET}
    async with (
        open_gateway(settings_for(tmp_path / "one", **shared)) as one,
        open_gateway(settings_for(tmp_path / "other", **shared)) as other,
    ):
        await until(lambda: other.changes.noticed_at_once)
        looks = 0
        look = other.departures.look

        async def looking() -> None:
            nonlocal looks
            looks += 1
            await look()

        monkeypatch.setattr(other.departures, "look", looking)
        for name in ("ann", "bob"):
            await one.accounts.add(name, "admin", PASSWORD)
            token = (await one.accounts.login(name, PASSWORD, "127.0.0.1")).token
            await until(lambda token=token: is_login(other, token))
        before = -1
        while before != looks:  # the looks after the last notice come to their end
            before = looks
            with suppress(TimeoutError):
                await until(lambda before=before: looks > before, seconds=0.7)


async def test_a_lost_connection_that_listens_is_replaced_by_polling_and_then_by_another(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "READ_SECONDS", 3600.0)
    monkeypatch.setattr(listener, "FIRST_PAUSE", 0.5)
    shared = {"database_url": postgres.new_database(), "secrets_key": SECRETS_KEY, "jwt_secret": JWT_SECRET}
    async with (
        open_gateway(settings_for(tmp_path / "one", **shared)) as one,
        open_gateway(settings_for(tmp_path / "other", **shared)) as other,
    ):
        key, secret = await one.api_keys.create("k", ["chat"])
        await until(lambda: other.changes.noticed_at_once and known(other, secret))
        postgres.end_listeners()
        await until(lambda: not other.changes.noticed_at_once)
        await one.api_keys.delete(key.id)
        await until(lambda: not known(other, secret))
        await until(lambda: other.changes.noticed_at_once)
        key, secret = await one.api_keys.create("k", ["chat"])
        await until(lambda: known(other, secret))


def is_login(gateway: Gateway, token: str) -> bool:
    try:
        gateway.accounts.authenticate(token)
    except GatewayError:
        return False
    return True


async def test_models_of_a_local_server_come_into_the_registry_and_those_of_others_do_not(tmp_path: Path) -> None:
    async with open_gateway(settings_for(tmp_path)) as gateway:
        found = Probe(healthy=True, models=(FoundModel(name="llama"),))
        await upkeep._take_up(gateway, "openai", found)
        assert "openai/llama" not in gateway.registry.snapshot.models
        await upkeep._take_up(gateway, upkeep.LOCAL, found)
        assert gateway.registry.snapshot.models["oss-local/llama"].source == "discovered"


async def test_prices_are_looked_up_before_anybody_asks(tmp_path: Path) -> None:
    async with open_gateway(settings_for(tmp_path)) as gateway:
        await until(lambda: len(gateway.prices) == len(gateway.registry.snapshot.models))


async def test_prices_of_models_that_are_new_are_looked_up_and_of_the_others_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.01)
    async with open_gateway(settings_for(tmp_path)) as one, open_gateway(settings_for(tmp_path)) as other:
        known = len(other.registry.snapshot.models)
        await until(lambda: len(other.prices) == known)
        asked: list[tuple[str, bool]] = []
        listed = price_list.listed

        def counting(provider: str, name: str, at: datetime, *, tier: str = "") -> price_list.Listed | None:
            asked.append((name, threading.current_thread() is threading.main_thread()))
            return listed(provider, name, at, tier=tier)

        monkeypatch.setattr(pricing, "listed", counting)
        await one.registry.add(Model(id="new", provider="openai", api_model_name="gpt-4o-mini", layer="L1"))
        await until(lambda: len(other.prices) == known + 1)
        assert other.registry.snapshot.models["new"] is not one.registry.snapshot.models["new"]
        for model in other.registry.snapshot.models.values():
            other.prices.rates(model)
        await until(lambda: len(one.prices) == known + 1)
        assert asked == [("gpt-4o-mini", False)] * 2, "once for each process, and off the event loop"


async def test_nothing_goes_on_after_the_gateway_has_closed(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with open_gateway(settings_for(tmp_path)):
        assert asyncio.all_tasks() - before
    assert asyncio.all_tasks() - before == set()
