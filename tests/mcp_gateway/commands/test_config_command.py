"""`mcp-gateway config show`."""

from pathlib import Path

import pytest

from shared.settings import Settings
from tests.mcp_gateway.commands.conftest import Shell


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
