"""`mcp-gateway doctor`."""

import json
import socket
from pathlib import Path

import pytest

from shared.providers.scripted import ScriptedServer
from tests.mcp_gateway.commands.conftest import Done, Shell


def findings(done: Done) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in done.json["findings"]}


@pytest.fixture(autouse=True)
def free_port(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    monkeypatch.setenv("API_PORT", str(port))
    return port


def test_all_is_well(shell: Shell, provider: ScriptedServer) -> None:
    done = shell("doctor", "--json")
    found = findings(done)
    assert done.code == 0, done.out
    assert {finding["status"] for finding in found.values()} == {"ok"}
    assert "answers" in found["provider openai"]["text"]
    assert found["chat"]["text"] == (
        '`auto` goes to openai/gpt-6-luna, for a hard question with quality "high" to openai/gpt-6-luna; by itself it may '
        "spend nothing in the cheapest paid layer (AUTO_BUDGET_USD_PER_DAY)"
    )
    assert "schema is up to date" in found["database"]["text"]
    text = shell("doctor").out
    assert text.count("\n") >= len(found)
    assert "FAIL" not in text


def test_a_chat_that_would_find_no_model_in_its_layer_is_told(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_LAYER", "L0")
    found = findings(shell("doctor", "--json"))["chat"]
    assert found["status"] == "warn"
    assert "layer L0" in found["text"]
    assert "DEFAULT_LAYER" in found["advice"]


def test_what_auto_may_spend_by_itself_is_told(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_LAYER", "L0")
    monkeypatch.setenv("AUTO_BUDGET_USD_PER_DAY", "2.5")
    found = findings(shell("doctor", "--json"))["chat"]
    assert found["status"] == "ok"
    assert "`auto` goes to openai/gpt-6-luna" in found["text"]
    assert "up to $2.50 a day" in found["text"]


def test_learning_that_abstains_is_told_with_what_helps(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "router learning" not in findings(shell("doctor", "--json"))
    monkeypatch.setenv("ROUTER_LEARNING", "on")
    found = findings(shell("doctor", "--json"))["router learning"]
    assert found["status"] == "warn"
    assert found["text"].startswith("ROUTER_LEARNING=on abstains, requests start as usual: no outcome")
    assert "/v1/feedback" in found["advice"]


def test_no_model_is_a_failure_that_says_what_to_do(shell: Shell) -> None:
    done = shell("doctor")
    assert done.code == 1
    assert "FAIL  chat: no provider can answer\n      → Set a provider's key" in done.out


def test_a_provider_that_does_not_answer_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-s3cret-s3cret")
    done = shell("doctor", "--json")
    openai = findings(done)["provider openai"]
    assert openai["status"] == "warn"
    assert "http://127.0.0.1:1/v1" in openai["text"]
    assert openai["advice"]
    assert "s3cret" not in done.out


def test_a_gateway_that_does_not_open_is_a_failure(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "gateway.sqlite3").write_text(
        "this is no database, and it is long enough to be read as one" * 40
    )
    done = shell("doctor", "--json")
    assert done.code == 1
    assert findings(done)["gateway"]["status"] == "fail"


def test_redis_that_is_away_is_a_failure(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    done = shell("doctor", "--json")
    assert done.code == 1
    assert findings(done)["redis"]["status"] == "fail"


def test_hosts_that_name_us_are_found(shell: Shell, provider: ScriptedServer, tmp_path: Path) -> None:
    folder = tmp_path / ".cursor"
    folder.mkdir()
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"x": {"command": "/nowhere/mcp-gateway"}}}))
    found = findings(shell("doctor", "--json"))
    assert found["client Cursor"]["status"] == "warn"
    assert "no configuration" in found["client Claude Desktop"]["text"]


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("TERMINAL_SHELL", "/nope", "fail"),
        ("TERMINAL_WRITABLE_PATHS", "/nope", "warn"),
        ("SSH_CONFIG", "/nope/config", "warn"),
    ],
)
def test_a_setting_that_points_nowhere_is_named(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str, status: str
) -> None:
    monkeypatch.setenv(name, value)
    done = shell("doctor", "--json")
    assert (done.code or 0) == (1 if status == "fail" else 0)
    found = findings(done)[f"setting {name}"]
    assert (found["status"], found["text"].split(": ")[0]) == (status, value)
    assert f"unset {name}" in found["advice"]


@pytest.mark.parametrize("command", ["doctor", "models list", "config show"])
def test_a_configuration_that_was_named_and_is_not_there_is_an_error_everywhere(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("MCP_GATEWAY_CONFIG", "/nonexistent/x.toml")
    done = shell(*command.split())
    assert done.code != 0
    assert "MCP_GATEWAY_CONFIG: there is no file /nonexistent/x.toml" in done.err


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "DATABASE_URL", "TRUSTED_PROXIES"])
def test_an_address_that_is_none_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "notaurl")
    done = shell("doctor")
    assert done.code == 1
    assert f"  - {name}: must be" in done.err


@pytest.mark.parametrize("name", ["OSS_MODEL_ENDPOINT", "OLLAMA_HOST"])
def test_a_local_server_that_is_not_there_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "127.0.0.1:1")
    found = findings(shell("doctor", "--json"))["local models"]
    assert found["status"] == "warn"
    assert "127.0.0.1:1" in found["text"]


def test_the_embedded_model_of_the_gateway_that_serves_counts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    served = {
        "version": "0.1.0",
        "uptimeSeconds": 5,
        "local": {"embedded": {"state": "running", "detail": "process 7"}},
    }
    monkeypatch.setattr("mcp_gateway.diagnosis.machine.gateway_at", lambda host, port: served)
    text = findings(shell("doctor", "--json"))["local models"]["text"]
    assert text.endswith(": running in the gateway that serves here")


def test_a_dead_key_among_good_ones_is_named(
    shell: Shell, provider: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.refuses = frozenset({"kbad"})
    monkeypatch.setenv("OPENAI_API_KEY", "kgood,kbad,kfine")
    done = shell("doctor", "--json")
    found = findings(done)
    assert (found["provider openai"]["status"], found["chat"]["status"]) == ("ok", "ok")
    (named,) = [name for name in found if ", key" in name]
    assert (named, found[named]["status"]) == ("provider openai, key 2 of 3", "warn")
    assert "does not work: " in found[named]["text"]
    assert "kbad" not in done.out
