"""`mcp-gateway config show`."""

import functools
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from shared.gateway import open_gateway
from shared.setting_sources import load_settings
from shared.settings import Settings
from tests.mcp_gateway.commands.conftest import Shell, on_terminal


def test_every_setting_is_shown_with_where_it_comes_from(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".env").write_text("TOKEN_HOURS=3\nLOG_LEVEL=error\n")
    (tmp_path / "data" / "config.toml").write_text("max_connections = 7\nlog_level = 'warning'\n")
    Path(".env").write_text("API_PORT=4000\nLOG_LEVEL=debug\n")
    monkeypatch.setenv("API_HOST", "localhost")
    rows = {row["name"]: row for row in shell("config", "show", "--json").json["settings"]}
    assert list(rows) == [name.upper() for name in Settings.model_fields]
    shown = {name: (row["value"], row["source"]) for name, row in rows.items()}
    assert shown["API_HOST"] == ("localhost", "environment")
    assert shown["API_PORT"] == (4000, str(Path.cwd() / ".env"))
    assert shown["LOG_LEVEL"] == ("debug", str(Path.cwd() / ".env"))
    assert shown["TOKEN_HOURS"] == (3.0, str(tmp_path / "data" / ".env"))
    assert shown["MAX_CONNECTIONS"] == (7, str(tmp_path / "data" / "config.toml"))
    assert shown["DEFAULT_LAYER"] == ("L0", "default")
    assert all(row["description"] for row in rows.values())


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_masked(shell: Shell, monkeypatch: pytest.MonkeyPatch, form: list[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-s3cret-s3cret")
    monkeypatch.setenv("REDIS_URL", "redis://:s3cret@127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cret@127.0.0.1/x")
    done = shell("config", "show", *form)
    assert done.code == 0
    assert "s3cret" not in done.out
    assert "********" in done.out
    assert "127.0.0.1/x" in done.out


def test_the_table_has_a_line_for_each(shell: Shell) -> None:
    lines = shell("config", "show").out.splitlines()
    assert lines[0].split() == ["setting", "value", "source", "meaning"]
    assert len(lines) == len(Settings.model_fields) + 1


async def store(**values: object) -> None:
    async with open_gateway(load_settings()) as gateway:
        await gateway.configuration.update(values)


def test_what_was_stored_is_in_force_and_is_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_LAYER", "L1")
    anyio.run(functools.partial(store, default_layer="L2", enable_auto_escalate=True, cost_alert_threshold=Decimal(7)))
    done = shell("config", "show", "--json")
    rows = {row["name"]: (row["value"], row["source"]) for row in done.json["settings"]}
    assert rows["DEFAULT_LAYER"] == ("L2", "stored (PUT /v1/config)")
    assert rows["ENABLE_AUTO_ESCALATE"] == (True, "stored (PUT /v1/config)")
    assert rows["COST_ALERT_THRESHOLD"] == (7.0, "stored (PUT /v1/config)")
    assert rows["MAX_ESCALATION_LAYER"] == ("L0", "default")
    assert done.json["database"] is True
    assert done.err == ""


def test_looking_makes_no_database(shell: Shell, tmp_path: Path) -> None:
    assert shell("config", "show").code == 0
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.sqlite3").touch()
    done = shell("config", "show", "--json")
    assert (done.code, done.err, done.json["database"]) == (0, "", True)


def test_a_database_that_is_away_is_said_and_the_settings_are_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/x")
    done = shell("config", "show", "--json")
    assert done.code == 0
    assert done.json["database"] is False
    assert len(done.json["settings"]) == len(Settings.model_fields)
    assert done.err.startswith("warning: what PUT /v1/config stored is not shown")


def test_on_a_terminal_nothing_is_cut(shell: Shell, environ: dict[str, str]) -> None:
    said = on_terminal(environ, 80, "config", "show")
    flowing = " ".join(said.split())
    for name, field in Settings.model_fields.items():
        assert f"{name.upper()} " in flowing
        assert str(field.description) in flowing
    assert max(len(line) for line in said.splitlines() if line.startswith("    ")) <= 80
    assert "LOG_LEVEL = warning  (" in said or "LOG_LEVEL = info  (" in said
