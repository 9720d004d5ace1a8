"""The command as a whole: help, version, and one clear line when something is wrong."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mcp_gateway.commands.output import wants_json
from tests.mcp_gateway.commands.conftest import ROOT, Shell

pytestmark = pytest.mark.slow

COMMANDS = ("serve", "stdio", "install", "uninstall", "chat", "run", "models", "doctor", "config", "keys", "admin")


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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (done.code, done.out) == (0, f"mcp-gateway {project['version']}\n")


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


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["models", "list", "--layer", "L9", "--json"], 1, "invalid_request"),
        (["models", "show", "--json", "nix"], 1, "model_not_found"),
        (["models", "list", "--json", "--nonsense"], 2, "invalid_usage"),
        (["keys", "create", "--json"], 2, "invalid_usage"),
        (["run", "--timeout", "10000", "--json", "true"], 1, "invalid_request"),
        (["keys", "delete", "nix", "--json"], 1, "key_not_found"),
    ],
)
def test_json_that_was_asked_for_also_comes_when_it_fails(
    shell: Shell, arguments: list[str], code: int, kind: str
) -> None:
    done = shell(*arguments)
    assert done.code == code
    assert set(done.json) == {"error", "details", "code"}
    assert done.json["code"] == kind
    assert done.err.startswith("error: ")


def test_wrong_settings_are_an_object_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "many")
    done = shell("doctor", "--json")
    assert (done.code, done.json["code"]) == (1, "invalid_settings")
    assert "API_PORT" in done.json["details"]["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["models", "list", "--json"], True),
        (["run", "--timeout", "3", "--json", "true"], True),
        (["run", "--json", "--", "true"], True),
        (["run", "echo", "--json"], False),
        (["run", "--", "echo", "--json"], False),
        (["run", "--timeout=3", "echo", "--json"], False),
        (["chat", "--", "--json"], False),
        ([], False),
    ],
)
def test_json_is_wanted_only_where_it_is_an_option_of_ours(arguments: list[str], wanted: bool) -> None:
    assert wants_json(arguments) is wanted


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [("models list", ""), ("models list --json", "1"), ("--help", ""), ("--help", "1"), ("run -- date", "")],
)
def test_a_full_stdout_is_one_line(shell: Shell, environ: dict[str, str], command: str, unbuffered: str) -> None:
    done = ran(environ, f"{command} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["models list --json", "--help"])
def test_a_closed_stdout_is_a_failure_without_a_word(shell: Shell, environ: dict[str, str], command: str) -> None:
    done = ran(environ, f"{command} >&-")
    assert (done.returncode, done.stderr) == (1, "")


def ran(environ: dict[str, str], line: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} -m mcp_gateway {line}"],
        env={**environ, **more},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_control_c_while_the_command_is_still_loading_is_no_traceback(environ: dict[str, str]) -> None:
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from mcp_gateway.cli import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_outside_the_gateway_runs_what_must_be_cleaned_up(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    cleaned: list[bool] = []

    def pull(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)

    before = signal.getsignal(number)
    monkeypatch.setattr("mcp_gateway.commands.pulling.pull_weights", pull)
    assert shell("models", "pull").code == code
    assert cleaned == [True]
    assert signal.getsignal(number) == before
