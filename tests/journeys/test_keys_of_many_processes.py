"""Keys, limits and the audit trail of two gateways on one database and one Redis, one of them killed.

That limits are exact however many ask at once is for tests/shared/security, where nothing else takes time from Redis.
"""

import asyncio
import itertools
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.databases import PostgresServer
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving
from tests.support.waiting import until

PASSWORD = "correct horse battery"


async def key(gateway: Serving, admin: dict[str, str], **own: object) -> dict[str, str]:
    """Headers with a new key, once the gateway knows it."""
    made = await gateway.http.post("/v1/keys", json={"name": "k", **own}, headers=admin)
    assert made.status_code == 201, made.text
    return {"authorization": f"Bearer {made.json()['secret']}"}


async def known(gateway: Serving, headers: dict[str, str]) -> None:
    async with asyncio.timeout(5):
        while (await gateway.http.get("/v1/auth/status", headers=headers)).status_code == 401:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_limits_are_shared_exactly_and_a_kill_leaves_a_whole_audit_trail(
    tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    settings = {
        "AUTH_MODE": "required",
        "ADMIN_PASSWORD": PASSWORD,
        "JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
        "SECRETS_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "DATABASE_URL": postgres.new_database("template0"),
        "REDIS_URL": redis_server.url,
    }
    async with serving(tmp_path / "a", **settings) as one, serving(tmp_path / "b", **settings) as other:
        login = await one.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        admin = {"authorization": f"Bearer {login.json()['token']}"}

        for place in (one, other):
            async with asyncio.timeout(10):
                while not (await place.http.get("/health")).json()["redis"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        own = await key(one, admin, rateLimitPerMinute=20, rateLimitPerHour=0)
        await known(other, own)  # which uses up one request
        places = itertools.islice(itertools.cycle((one, other)), 25)
        answers = [(await place.http.get("/v1/models", headers=own)).status_code for place in places]
        assert answers == [200] * 19 + [429] * 6

        acknowledged: list[str] = []

        async def write(place: Serving) -> None:
            for number in itertools.count():
                made = await place.http.post("/v1/keys", json={"name": f"{number}"}, headers=admin)
                acknowledged.append(made.json()["key"]["id"])

        writing = [asyncio.create_task(write(place)) for place in (one, one, other)]
        await until(lambda: len(acknowledged) >= 30, 20)
        os.kill(one.process.pid, signal.SIGKILL)
        for task in writing[:2]:
            with suppress(httpx.HTTPError):
                await task
        writing[2].cancel()
        await asyncio.gather(*writing, return_exceptions=True)

        check = (await other.http.get("/v1/audit/verify", headers=admin)).json()
        assert check["valid"] is True, check
        listed = (await other.http.get("/v1/keys", headers=admin)).json()["keys"]
        assert {found["id"] for found in listed} >= set(acknowledged)

        await other.http.post("/v1/auth/logout", headers=admin)
        assert (await other.http.get("/v1/keys", headers=admin)).status_code == 401
