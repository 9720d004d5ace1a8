"""`mcp-gateway secrets`, with a gateway running beside it."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken

from tests.mcp_gateway.commands.conftest import Shell
from tests.support.serving import Serving, serving

CONNECTION = {"name": "box", "type": "ssh", "host": "127.0.0.1", "port": 1, "username": "u", "password": "hunter2"}


def sealed(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "gateway.sqlite3")) as database:
        rows = database.execute(
            "SELECT sealed_key FROM providers WHERE sealed_key IS NOT NULL"
            " UNION ALL SELECT sealed_secrets FROM connections WHERE sealed_secrets IS NOT NULL"
        )
        return [str(row[0]) for row in rows]


async def rotated(data_dir: Path) -> None:
    """The command, in a process of its own as an operator runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mcp_gateway",
        "secrets",
        "rotate",
        env={"DATA_DIR": str(data_dir), "PATH": "/usr/bin:/bin", "EMBEDDED_MODEL": "off", "OSS_DISCOVERY": "false"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    assert b"stored secret" in out


async def stored(one: Serving, name: str) -> None:
    provider = {"name": name, "baseUrl": "http://127.0.0.1:1/v1", "apiKey": f"sk-{name}-secret"}
    assert (await one.http.post("/v1/providers", json=provider)).status_code == 201
    added = await one.http.post("/v1/terminal/connections", json={**CONNECTION, "name": name})
    assert added.status_code == 201, added.text


async def test_a_rotation_beside_a_running_gateway_loses_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with serving(data_dir) as one:
        await stored(one, "before")
        old = Fernet((data_dir / "secrets.key").read_bytes())
        assert len([old.decrypt(text) for text in sealed(data_dir)]) == 2

        await rotated(data_dir)

        new = Fernet((data_dir / "secrets.key").read_bytes())
        await stored(one, "after")
        assert len([new.decrypt(text) for text in sealed(data_dir)]) == 4
        for text in sealed(data_dir):
            with pytest.raises(InvalidToken):
                old.decrypt(text)
        (known,) = [
            found
            for found in (await one.http.get("/v1/terminal/connections")).json()["connections"]
            if found["name"] == "before"
        ]
        changed = await one.http.put(f"/v1/terminal/connections/{known['id']}", json={"host": "localhost"})
        assert changed.status_code == 200, changed.text
    async with serving(data_dir) as again:
        providers = (await again.http.get("/v1/providers")).json()["providers"]
        assert {found["name"] for found in providers if found["hasKey"]} >= {"before", "after"}


def test_a_key_of_the_settings_is_for_the_operator_to_change(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shell("secrets", "new-key").out.strip()
    assert Fernet(made)
    monkeypatch.setenv("SECRETS_KEY", made)
    refused = shell("secrets", "rotate", "--json")
    assert (refused.code, refused.json["code"]) == (1, "secrets_key_from_settings")
    assert made not in refused.err + refused.out
    monkeypatch.setenv("SECRETS_KEY", Fernet.generate_key().decode())
    wrong = shell("keys", "list", "--json")
    assert (wrong.code, wrong.json["code"]) == (1, "wrong_secrets_key")
