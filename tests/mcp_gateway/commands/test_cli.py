"""The command as a whole: help, version, and one clear line when something is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp_gateway.commands.conftest import Shell

COMMANDS = ("serve", "stdio", "chat", "run", "models", "doctor", "config", "keys", "admin")


def test_help_lists_every_command(shell: Shell) -> None:
    done = shell("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert f" {command} " in done.out
    assert shell("-h").out == done.out


@pytest.mark.parametrize("command", [*COMMANDS, "models list", "models pull", "config show", "keys create"])
def test_every_command_explains_itself(shell: Shell, command: str) -> None:
    done = shell(*command.split(), "--help")
    assert done.code == 0
    assert "Usage: mcp-gateway" in done.out


def test_the_version_is_the_packages(shell: Shell) -> None:
    done = shell("--version")
    assert (done.code, done.out) == (0, "mcp-gateway 0.1.0\n")


def test_wrong_usage_is_code_2(shell: Shell) -> None:
    assert shell("nonsense").code == 2
    assert shell("chat").code == 2
    assert shell("models", "priority", "x", "-1").code == 2
    assert shell("serve", "--port", "70000").code == 2


def test_all_wrong_settings_are_named_at_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "many")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    for command in (("config", "show"), ("models", "list"), ("chat", "hi"), ("run", "true"), ("doctor",), ("serve",)):
        done = shell(*command)
        assert done.code == 1
        assert done.out == ""
        assert done.err.startswith("error: These settings are wrong:")
        assert "API_PORT" in done.err
        assert "LOG_LEVEL" in done.err
        assert "Traceback" not in done.err


def test_a_data_directory_that_cannot_be_is_one_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    done = shell("models", "list")
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert "DATA_DIR" in done.err
    assert "Traceback" not in done.err


def test_what_nobody_expected_is_a_line_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("mcp_gateway.commands.opening.settings_here", broken)
    done = shell("config", "show")
    assert done.code == 1
    assert done.err.startswith("error: RuntimeError: odd\n")
    assert "Traceback" not in done.err


def test_a_reader_that_leaves_is_no_error(shell: Shell, environ: dict[str, str]) -> None:
    command = f"{sys.executable} -m mcp_gateway config show --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", command], env=environ, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=30
    )
    assert done.stdout == '{\n  "setti'
    assert done.stderr == ""


def test_help_needs_none_of_the_heavy_parts() -> None:
    program = (
        "import sys\n"
        "from mcp_gateway.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    print(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        timeout=30,
    )
    heavy = {"mcp", "sqlalchemy", "aiohttp", "structlog", "uvicorn", "http_api", "shared.gateway", "httpx", "asyncssh"}
    assert not heavy & set(done.stdout.split())
