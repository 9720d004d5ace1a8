"""Settings: where they come from, which wins, and what is said when they are wrong."""

from pathlib import Path

import pytest

from shared import parts
from shared.setting_sources import SettingsError, load_settings
from shared.settings import Settings, comma_separated, secret_fields


def load(tmp_path: Path, environ: dict[str, str] | None = None, **more: object) -> Settings:
    return load_settings({"DATA_DIR": str(tmp_path / "data"), **(environ or {})}, **more)  # type: ignore[arg-type]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_the_defaults_need_nothing(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.api_host, found.api_port, found.auth_mode, found.default_layer) == ("127.0.0.1", 3000, "local", "L0")
    assert found.database == f"sqlite:///{tmp_path / 'data' / 'gateway.sqlite3'}"


def test_each_source_wins_over_the_one_below(tmp_path: Path) -> None:
    here = tmp_path / "here"
    write(
        tmp_path / "data" / "config.toml", 'api_port = 1001\nlog_level = "error"\ndefault_layer = "L1"\ntoken_hours = 1'
    )
    write(tmp_path / "data" / ".env", "API_PORT=1002\nLOG_LEVEL=warning\nDEFAULT_LAYER=L2\n")
    write(here / ".env", "API_PORT=1003\nLOG_LEVEL=debug\n")
    found = load(tmp_path, {"API_PORT": "1004"}, directory=here, api_port=1005)
    assert (found.api_port, found.log_level, found.default_layer, found.token_hours) == (1005, "debug", "L2", 1)
    assert load(tmp_path, {"API_PORT": "1004"}, directory=here).api_port == 1004
    assert load(tmp_path, directory=here).api_port == 1003
    assert load(tmp_path).api_port == 1002


def test_without_a_directory_a_checkouts_dotenv_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".env", "OPENAI_BASE_URL=http://collects.example\n")
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path).openai_base_url == "https://api.openai.com/v1"


def test_another_config_file_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / "other.toml", "api_port = 7")
    assert load(tmp_path, {"MCP_GATEWAY_CONFIG": str(tmp_path / "other.toml")}).api_port == 7


def test_the_files_that_were_read_are_known(tmp_path: Path) -> None:
    write(tmp_path / "here" / ".env", "API_PORT=1")
    write(tmp_path / "named.toml", "api_port = 2")
    settings = load(tmp_path, {"MCP_GATEWAY_CONFIG": str(tmp_path / "named.toml")}, directory=tmp_path / "here")
    assert settings.files == (tmp_path / "here" / ".env", tmp_path / "named.toml")
    assert load(tmp_path).files == ()


def test_the_file_that_the_next_start_would_read_counts_before_it_exists(tmp_path: Path) -> None:
    assert load_settings({"DATA_DIR": str(tmp_path)}, directory=tmp_path / "here").files == (
        tmp_path / "here" / ".env",
    )


def test_empty_values_count_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, {"API_PORT": "", "DEFAULT_LAYER": ""}).api_port == 3000


def test_all_problems_are_reported_at_once_and_no_value_is_shown(tmp_path: Path) -> None:
    environ = {"API_PORT": "hunter2", "DEFAULT_LAYER": "L9", "RATE_LIMIT_PER_MINUTE": "-1"}
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, environ)
    assert len(caught.value.problems) == 3
    assert {problem.split(":")[0] for problem in caught.value.problems} == environ.keys()
    assert "hunter2" not in str(caught.value)


def test_an_unknown_name_in_the_config_file_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "data" / "config.toml", "api_prot = 1")
    with pytest.raises(SettingsError, match="API_PROT"):
        load(tmp_path)


def test_a_config_file_that_was_named_and_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MCP_GATEWAY_CONFIG: there is no file .*/nothing/x\.toml"):
        load(tmp_path, {"MCP_GATEWAY_CONFIG": str(tmp_path / "nothing" / "x.toml")})


@pytest.mark.parametrize("text", ["api_port = ", "\udcff"])
def test_a_config_file_that_cannot_be_read_is_a_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError, match=r"config\.toml"):
        load(tmp_path)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_postgresql_urls_get_our_driver(tmp_path: Path, scheme: str) -> None:
    found = load(tmp_path, {"DATABASE_URL": f"{scheme}://u:p@h/d"})
    assert found.database == "postgresql+psycopg://u:p@h/d"


def test_case_does_not_matter_for_levels_and_layers(tmp_path: Path) -> None:
    found = load(tmp_path, {"LOG_LEVEL": "WARNING", "DEFAULT_LAYER": "l2"})
    assert (found.log_level, found.default_layer) == ("warning", "L2")


def test_secrets_are_not_shown_by_repr(tmp_path: Path) -> None:
    values = {name.upper(): "hunter2hunter2" for name in secret_fields()}
    found = load(tmp_path, {**values, "ALERT_WEBHOOK_URL": "https://example.org/hunter2hunter2"})
    assert "hunter2" not in repr(found)


def test_lists_are_split_at_commas() -> None:
    assert comma_separated(" a, b ,,c ") == ("a", "b", "c")


def test_every_setting_says_what_it_does() -> None:
    assert [
        name for name, field in Settings.model_fields.items() if not (field.description or "").endswith((".", ")"))
    ] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "notaurl"),
        ("ANTHROPIC_BASE_URL", "ftp://x"),
        ("DATABASE_URL", "foo"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "sqlite://"),
        ("ALLOWED_HOSTS", "gateway.example.com:443"),
        ("ALLOWED_ORIGINS", "https://good.example.com, app.example.com"),
        ("TRUSTED_PROXIES", "127.0.0.1, proxy.example.com"),
    ],
)
def test_addresses_that_are_none_are_problems_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(tmp_path, {name: value})


@pytest.mark.parametrize("value", ["bogus", "chat,bogus", ","])
def test_toolsets_that_are_none_are_answered_with_those_that_are(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, {"MCP_TOOLSETS": value})
    assert caught.value.problems == [
        "MCP_TOOLSETS: must be one or more of chat, models, terminal, ssh, admin, all, with commas between them"
    ]


@pytest.mark.parametrize("value", ["2000000", "inf", "nan", "-1"])
def test_an_alert_that_the_configuration_cannot_hold_is_a_problem(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="COST_ALERT_THRESHOLD"):
        load(tmp_path, {"COST_ALERT_THRESHOLD": value})


def test_the_highest_alert_is_one_that_the_configuration_holds(tmp_path: Path) -> None:
    settings = load(tmp_path, {"COST_ALERT_THRESHOLD": "1000000"})
    assert parts.defaults(settings).cost_alert_threshold == 1_000_000


@pytest.mark.parametrize(
    "environ",
    [
        {"TERMINAL_COMMAND_TIMEOUT": "5", "TERMINAL_MAX_COMMAND_TIMEOUT": "1"},
        {"TERMINAL_COMMAND_TIMEOUT": "601"},
        {"TERMINAL_MAX_COMMAND_TIMEOUT": "29"},
    ],
)
def test_a_command_cannot_get_more_time_than_it_may_ask_for(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TERMINAL_MAX_COMMAND_TIMEOUT: must not be less than TERMINAL_COMMAND_"):
        load(tmp_path, environ)
    assert load(tmp_path, {"TERMINAL_COMMAND_TIMEOUT": "600"}).terminal_max_command_timeout == 600
