"""Several gateways on one database act as one; a kill loses nothing that was acknowledged."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.providers.scripted import ScriptedServer
from tests.support.databases import PostgresServer
from tests.support.serving import Serving, serving

MODEL = {"id": "mine/scripted", "provider": "openai", "apiModelName": "scripted", "layer": "L0", "priority": 0}
ASK = {"model": "mine/scripted", "messages": [{"role": "user", "content": "hi"}]}


async def eventually(gateway: Serving, path: str, wanted: Callable[[Any], bool]) -> Any:
    """Ask until the answer is as wanted. Raises TimeoutError after a few seconds."""
    async with asyncio.timeout(5):
        while True:
            found = (await gateway.http.get(path)).json()
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The same database for every process, their data directories apart where that can be."""
    shared = {"JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz", "ADMIN_PASSWORD": "correct horse battery"}
    shared["SECRETS_KEY"] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    if request.param == "sqlite":
        return {**shared, "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.sqlite3'}"}
    server: PostgresServer = request.getfixturevalue("postgres")
    return {**shared, "DATABASE_URL": server.new_database("template0").replace("postgresql+psycopg", "postgresql")}


@pytest.mark.slow
async def test_a_change_in_one_is_seen_by_the_others_and_survives_a_kill(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    async with ScriptedServer().listening() as provider:
        settings |= {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
        async with serving(tmp_path / "a", **settings) as one, serving(tmp_path / "b", **settings) as other:
            assert (await one.http.post("/v1/models", json=MODEL)).status_code == 201
            assert (await one.http.post("/v1/chat/completions", json=ASK)).status_code == 200
            await eventually(
                other, "/v1/models", lambda found: any(item["id"] == MODEL["id"] for item in found["data"])
            )
            assert (await other.http.post("/v1/chat/completions", json=ASK)).status_code == 200

            await one.http.put("/v1/layers/L0/toggle", json={"enabled": False})
            await eventually(other, "/v1/models/layers", lambda found: found["layers"]["L0"]["enabled"] is False)
            assert (await other.http.post("/v1/chat/completions", json=ASK)).status_code == 400

            await other.http.put("/v1/config", json={"defaultLayer": "L2"})
            await eventually(one, "/v1/config", lambda found: found["configuration"]["defaultLayer"] == "L2")

            login = {"username": "admin", "password": "correct horse battery"}
            token = (await one.http.post("/v1/auth/login", json=login)).json()["token"]
            bearer = {"Authorization": f"Bearer {token}"}
            assert (await other.http.get("/v1/auth/status", headers=bearer)).json()["authenticated"] is True

            acknowledged = (await one.http.post("/v1/models", json={**MODEL, "id": "mine/last"})).status_code
            await one.kill()
            assert acknowledged == 201
            await eventually(
                other, "/v1/models", lambda found: any(item["id"] == "mine/last" for item in found["data"])
            )

        async with serving(tmp_path / "a", **settings) as again:
            names = {item["id"] for item in (await again.http.get("/v1/models")).json()["data"]}
            assert {"mine/scripted", "mine/last"} <= names
            assert (await again.http.get("/v1/audit/verify")).json()["valid"] is True
            usage = (await again.http.get("/v1/usage", params={"groupBy": "model"})).json()
            assert {group["group"] for group in usage["groups"]} == {"mine/scripted"}


@pytest.mark.slow
async def test_the_chats_of_all_processes_are_in_one_chain_also_after_a_kill(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    async with ScriptedServer().listening() as provider:
        settings |= {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
        async with serving(tmp_path / "a", **settings) as one, serving(tmp_path / "b", **settings) as other:
            assert (await one.http.post("/v1/models", json=MODEL)).status_code == 201
            await eventually(
                other, "/v1/models", lambda found: any(item["id"] == MODEL["id"] for item in found["data"])
            )

            async def chats(gateway: Serving) -> None:
                for _ in range(20):
                    assert (await gateway.http.post("/v1/chat/completions", json=ASK)).status_code == 200

            await asyncio.gather(*(chats(gateway) for gateway in (one, other) for _ in range(2)))
            await eventually(
                other,
                "/v1/audit?action=chat&limit=1000",
                lambda found: len([entry for entry in found["entries"] if entry["outcome"] == "ok"]) == 80,
            )
            ongoing = asyncio.gather(chats(one), return_exceptions=True)
            await one.http.post("/v1/chat/completions", json=ASK)
            await one.kill()
            await ongoing
            await chats(other)
            found = (await other.http.get("/v1/audit?action=chat&limit=1000")).json()["entries"]
            assert len(found) >= 100
            assert (await other.http.get("/v1/audit/verify")).json()["valid"] is True
