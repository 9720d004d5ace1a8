"""The compose file: complete for Docker Compose, confined, and its nodes run with exactly its settings as one gateway."""

import asyncio
import json
import os
import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from shared.settings import Settings
from tests.deploy.test_patience import PATIENCE
from tests.deploy.tools import tool
from tests.support.databases import PostgresServer
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer
from tests.support.serving import Serving, serving

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "correct horse battery staple"
SECRETS = {
    "POSTGRES_PASSWORD": "0123abcd",
    "ADMIN_PASSWORD": PASSWORD,
    "JWT_SECRET": secrets.token_hex(32),
    "SECRETS_KEY": Fernet.generate_key().decode(),
}
NODES = ("gateway-1", "gateway-2")


def composed(**given: str) -> subprocess.CompletedProcess[str]:
    """What Docker Compose makes of the file."""
    command = [tool("docker-compose"), "--file", str(DEPLOY / "compose.yaml"), "config", "--format", "json"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **given}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def services() -> dict[str, Any]:
    done = composed(**SECRETS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_it_names_a_secret_that_is_missing(missing: str) -> None:
    done = composed(**{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_its_nodes_are_confined_and_get_the_time_to_stop(services: dict[str, Any]) -> None:
    for name in NODES:
        node = services[name]
        assert (node["read_only"], node["cap_drop"], node["init"]) == (True, ["ALL"], True)
        assert node["security_opt"] == ["no-new-privileges:true"]
        minutes, seconds = re.fullmatch(r"(\d+)m(\d+)s", node["stop_grace_period"]).groups()  # type: ignore[union-attr]
        assert int(minutes) * 60 + int(seconds) > PATIENCE
        assert {name.lower() for name in node["environment"]} <= Settings.model_fields.keys()
        assert "ports" not in node
    assert [name for name, service in services.items() if "ports" in service] == ["balancer"]
    assert {port["host_ip"] for port in services["balancer"]["ports"]} == {"127.0.0.1"}


def test_the_balancer_knows_the_nodes(services: dict[str, Any]) -> None:
    (line,) = re.findall(r"reverse_proxy (.+) \{", (DEPLOY / "Caddyfile").read_text("utf-8"))
    assert line.split() == [f"{name}:3000" for name in services if name.startswith("gateway-")]


@asynccontextmanager
async def node(service: dict[str, Any], folder: Path, database: str, redis: str) -> AsyncIterator[Serving]:
    """A node with the service's settings; what is a name there is an address here."""
    port = str(free_port())
    environ = dict(service["environment"])
    assert environ["DATABASE_URL"] == f"postgresql://gateway:{SECRETS['POSTGRES_PASSWORD']}@postgres/gateway"
    here = {"DATABASE_URL": database, "REDIS_URL": redis, "API_PORT": port, "NODE_URL": f"http://127.0.0.1:{port}"}
    async with serving(folder, **{**environ, **here, "TERMINAL_SANDBOX": "off", "SHUTDOWN_DRAIN": "0"}) as running:
        yield running


@pytest.mark.slow
async def test_its_two_nodes_are_one_gateway(
    services: dict[str, Any], tmp_path: Path, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    url = postgres.new_database()
    async with (
        node(services[NODES[0]], tmp_path / "1", url, redis_server.url) as first,
        node(services[NODES[1]], tmp_path / "2", url, redis_server.url) as second,
    ):
        login = await first.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {login.json()['token']}"}
        assert (await second.http.get("/v1/keys", headers=headers)).status_code == 200
        made = await first.http.post("/v1/keys", headers=headers, json={"name": "one", "scopes": ["models:read"]})
        key = {"Authorization": f"Bearer {made.json()['secret']}"}
        await answers(second.http, "/v1/models", key)
        opened = await first.http.post("/v1/terminal/sessions", headers=headers, json={"type": "local"})
        session = opened.json()["session"]["id"]
        command = {"command": "echo over there"}
        await answers(second.http, f"/v1/terminal/{session}", headers)
        ran = await second.http.post(f"/v1/terminal/{session}/execute", headers=headers, json=command)
        assert ran.json()["result"]["stdout"] == "over there\n"
    postgres.drop(url)


async def answers(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    """Wait until a change of the other node has arrived."""
    async with asyncio.timeout(10):
        while (await http.get(path, headers=headers)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
