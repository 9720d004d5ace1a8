"""The whole HTTP surface on a whole gateway, its data in a folder of the test's own, its providers scripted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from argon2.profiles import CHEAPEST

from http_api.app import App, GatewayOpener, Mounted, create_app
from shared.gateway import Gateway, open_gateway
from shared.providers.scripted import ScriptedServer
from shared.security import passwords
from shared.settings import Settings
from tests.support.databases import prepare
from tests.support.http_stack import client

PASSWORD = "correct horse battery staple"
MODEL = {"id": "scripted/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0"}


def settings_for(folder: Path, **values: Any) -> Settings:
    """Settings that look for nothing outside the test."""
    quiet = {"oss_discovery": False, "embedded_model": "off", "log_level": "error", "admin_password": PASSWORD}
    plain = {
        "spend_guard": False,
        "auto_budget_usd_per_day": 0,
        "upstream_retry_wait": 0,
        "budget_wait": 0,
    }  # the models of the tests bill, in whatever layer they are
    seen = {"terminal_sandbox": "off"}  # in one, process numbers are others than tests see
    return Settings.model_validate({"data_dir": folder, "api_port": 0, **quiet, **plain, **seen, **values})


def opener(settings: Settings) -> GatewayOpener:
    def open_it() -> AbstractAsyncContextManager[Gateway]:
        return open_gateway(prepare(settings))

    return open_it


@dataclass
class Surface:
    """An application with its gateway open."""

    app: App
    gateway: Gateway
    http: httpx.AsyncClient
    provider: ScriptedServer

    async def login(self) -> str:
        """A token of the administrator."""
        answer = await self.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


async def without_models(there: Surface) -> None:
    """Take the models away that the registry came with."""
    for model_id in list(there.gateway.registry.snapshot.models):
        await there.gateway.registry.delete(model_id)


@asynccontextmanager
async def surface(folder: Path, mounts: Sequence[Mounted] = (), **values: Any) -> AsyncIterator[Surface]:
    """A gateway with one provider, a scripted one, and one model in L0."""
    async with AsyncExitStack() as stack:
        stack.enter_context(
            patch.object(passwords, "_owasp", lambda: CHEAPEST)
        )  # test_passwords.py holds the shipped ones
        provider = await stack.enter_async_context(ScriptedServer().listening())
        given = {
            "openai_base_url": provider.base_url,
            "openai_api_key": "sk-test",
            "rate_limit_per_minute": 0,
            **values,
        }
        app = create_app(opener(settings_for(folder, **given)), mounts=mounts)
        gateway = await stack.enter_async_context(app.opened())
        http = await stack.enter_async_context(client(app))
        await gateway.accounts.ensure_admin("admin", PASSWORD)
        yield Surface(app, gateway, http, provider)
