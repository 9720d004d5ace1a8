"""`mcp-gateway backup` and `restore`: beside a running gateway, after one was killed, and with files that are not backups."""

import asyncio
import contextlib
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from cryptography.fernet import Fernet

from shared.storage import schema
from shared.storage.database import Database
from tests.mcp_gateway.commands.conftest import ROOT, Shell
from tests.shared.storage.test_upgrades import migrate
from tests.support.databases import PostgresServer
from tests.support.serving import Serving, serving

PROVIDER = {"name": "mine", "baseUrl": "http://127.0.0.1:1/v1", "apiKey": "sk-mine-secret"}


async def run_command(data_dir: Path, *arguments: str) -> tuple[int | None, str, str]:
    """The command in a process of its own, as an operator runs it: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "mcp_gateway", *arguments),
        env={"DATA_DIR": str(data_dir), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


async def add_key(gateway: Serving, name: str) -> str:
    made = await gateway.http.post("/v1/keys", json={"name": name, "scopes": ["chat"]})
    assert made.status_code == 201, made.text
    return name


async def names(gateway: Serving) -> set[str]:
    return {key["name"] for key in (await gateway.http.get("/v1/keys")).json()["keys"]}


async def keep_writing(gateway: Serving, begun: asyncio.Event) -> None:
    for number in range(10_000):
        await add_key(gateway, f"during-{number}")
        begun.set()


async def test_a_backup_beside_a_writing_gateway_is_whole_and_a_restore_waits_until_it_has_stopped(
    tmp_path: Path,
) -> None:
    data_dir, file, key = tmp_path / "data", tmp_path / "copy.sqlite3", tmp_path / "apart" / "secrets.key"
    key.parent.mkdir()
    async with serving(data_dir) as gateway:
        await add_key(gateway, "before")
        assert (await gateway.http.post("/v1/providers", json=PROVIDER)).status_code == 201
        begun = asyncio.Event()
        writer = asyncio.create_task(keep_writing(gateway, begun))
        await asyncio.wait_for(begun.wait(), 10)
        code, out, error = await run_command(data_dir, "backup", str(file), "--key-file", str(key))
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
        assert (code, error) == (0, "")
        assert "keep it in another place" in out
        await add_key(gateway, "after")
        code, _, error = await run_command(data_dir, "restore", str(file))
        assert code == 1
        assert "A gateway runs on" in error
        assert "after" in await names(gateway)
        await gateway.kill()  # its write-ahead log stays, and must not be applied to the backup

    assert [oct(path.stat().st_mode & 0o777) for path in (file, key)] == ["0o600", "0o600"]
    assert b"sk-mine-secret" not in file.read_bytes()
    assert (data_dir / "secrets.key").read_bytes().strip() not in file.read_bytes()
    code, out, error = await run_command(data_dir, "restore", str(file))
    assert (code, error) == (0, "")
    assert "counts again" in out
    async with serving(data_dir) as gateway:
        found = await names(gateway)
        assert "after" not in found
        assert {"before", "during-0"} <= found
        assert (await gateway.http.get("/v1/audit/verify")).json()["valid"] is True
        assert "mine" in {one["name"] for one in (await gateway.http.get("/v1/providers")).json()["providers"]}
    (kept,) = data_dir.glob("gateway.sqlite3.before-*Z")
    (log,) = data_dir.glob("gateway.sqlite3.before-*-wal")
    assert log.stat().st_size > 0
    with closing(sqlite3.connect(kept)) as database:
        rows = database.execute("SELECT name FROM api_keys").fetchall()
    assert "after" in {name for (name,) in rows}


def a_backup(shell: Shell, tmp_path: Path) -> Path:
    file = tmp_path / "copy.sqlite3"
    assert shell("keys", "list").code == 0
    assert shell("backup", str(file)).code == 0
    return file


def changed(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def test_a_backup_says_that_the_secrets_key_is_not_in_it(shell: Shell, tmp_path: Path) -> None:
    assert shell("keys", "list").code == 0
    done = shell("backup", str(tmp_path / "copy.sqlite3"))
    assert "The secrets key is not in it" in done.out
    assert str(tmp_path / "data" / "secrets.key") in done.out
    again = shell("backup", str(tmp_path / "copy.sqlite3"))
    assert again.code == 1
    assert "overwrites nothing" in again.err
    nowhere = shell("backup", str(tmp_path / "second.sqlite3"), "--key-file", str(tmp_path / "none" / "key"))
    assert "There is no folder" in nowhere.err
    assert not (tmp_path / "second.sqlite3").exists()
    missing = shell("restore", str(tmp_path / "copy.sqlite3"), "--key-file", str(tmp_path / "none" / "key"))
    assert "--key-file names the file" in missing.err
    assert [path.name for path in tmp_path.glob(".*sqlite3*")] == []


def test_a_backup_without_a_database_is_refused_and_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    done = shell("backup", str(tmp_path / "copy.sqlite3"), "--json")
    assert (done.code, done.json["code"]) == (1, "no_database")
    assert not (tmp_path / "copy.sqlite3").exists()
    assert not (tmp_path / "data" / "gateway.sqlite3").exists()


def test_a_restore_refuses_what_is_damaged_foreign_newer_or_under_another_key(shell: Shell, tmp_path: Path) -> None:
    file, database = a_backup(shell, tmp_path), tmp_path / "data" / "gateway.sqlite3"
    before = database.read_bytes()

    def code(path: Path, *more: str) -> Any:
        done = shell("restore", str(path), *more, "--json")
        assert done.code == 1
        return done.json["code"]

    damaged, newer, foreign = tmp_path / "damaged", tmp_path / "newer", tmp_path / "foreign"
    whole = file.read_bytes()
    damaged.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    shutil.copyfile(file, newer)
    changed(newer, "UPDATE alembic_version SET version_num = '9999'")
    changed(foreign, "CREATE TABLE others (name TEXT)")
    other = tmp_path / "other.key"
    other.write_bytes(Fernet.generate_key())
    other.chmod(0o600)
    assert code(tmp_path / "missing") == "no_backup"
    assert code(damaged) == "bad_backup"
    assert code(foreign) == "bad_backup"
    assert code(ROOT / "README.md") == "bad_backup"
    assert code(newer) == "newer_database"
    assert code(file, "--key-file", str(other)) == "wrong_secrets_key"
    assert database.read_bytes() == before
    assert list(database.parent.glob("*before*")) == []


def test_a_restore_onto_a_new_machine_needs_the_key_and_works_with_it(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_backup(shell, tmp_path)
    key = tmp_path / "data" / "secrets.key"
    apart = key.rename(tmp_path / "apart.key")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert shell("restore", str(file)).code == 1
    done = shell("restore", str(file), "--key-file", str(apart), "--json")
    assert (done.code, done.json["before"]) == (0, None)
    assert (tmp_path / "new" / "secrets.key").read_bytes().strip() == apart.read_bytes().strip()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert shell("keys", "list").code == 0


def test_a_backup_of_an_older_version_is_migrated_at_the_next_start(shell: Shell, tmp_path: Path) -> None:
    file = a_backup(shell, tmp_path)
    older = Database(f"sqlite:///{file}")
    migrate(older, command.downgrade, "-1")
    older.engine.dispose()
    assert shell("restore", str(file)).code == 0
    assert shell("migrate", "--check").code == 3
    assert shell("keys", "list").code == 0
    assert shell("migrate", "--check").code == 0


def test_migrate_says_by_its_exit_code_how_the_schema_stands(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "data" / "gateway.sqlite3"
    done = shell("migrate", "--check", "--json")
    assert (done.code, done.json) == (3, {"state": "behind", "schema": None, "thisVersion": schema.HEAD})
    assert not database.exists()
    assert shell("migrate").code == 0
    assert shell("migrate", "--check").code == 0
    changed(database, "UPDATE alembic_version SET version_num = '9999'")
    done = shell("migrate", "--check")
    assert done.code == 4
    assert "newer version" in done.out
    for refused in (shell("migrate"), shell("keys", "list")):
        assert refused.code == 1
        assert refused.err.startswith("error: The database was written by a newer version of the gateway")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert shell("migrate", "--check").code == 1


@pytest.mark.slow
def test_for_postgresql_it_prints_the_commands_of_pg_dump_and_pg_restore_which_work(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    url, file = postgres.new_database(), tmp_path / "gateway.dump"
    monkeypatch.setenv("DATABASE_URL", url)
    changes = Database(url)
    with changes.engine.begin() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO facts (name, value) VALUES ('kept', '1')"))
    ran(shell("backup", str(file)).err, postgres.programs)
    with changes.engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM facts"))
    changes.engine.dispose()
    ran(shell("restore", str(file)).err, postgres.programs)
    with changes.engine.connect() as connection:
        kept = connection.scalar(sqlalchemy.text("SELECT value FROM facts WHERE name = 'kept'"))
    assert kept == 1
    changes.engine.dispose()
    postgres.drop(url)


def ran(said: str, programs: Path) -> None:
    """Run the command that the sentence names."""
    _, _, rest = said.partition("use its own tools: ")
    program, *arguments = shlex.split(rest.partition(" (docs/")[0])
    done = subprocess.run([programs / program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
