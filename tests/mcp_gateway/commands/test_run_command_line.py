"""`mcp-gateway run`."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.mcp_gateway.commands.conftest import Shell
from tests.support.processes import lives

ROOT = Path(__file__).parents[3]


def test_output_and_exit_code_are_the_commands(shell: Shell) -> None:
    done = shell("run", "--", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


def test_it_runs_here_and_arguments_stay_apart(shell: Shell) -> None:
    assert shell("run", "pwd").out == f"{Path.cwd()}\n"
    assert shell("run", "--", "printf", "[%s]", "a b", "$HOME").out == "[a b][$HOME]"
    assert shell("run", "echo", "--help").out == "--help\n"


def test_a_time_out_is_124_with_a_line(shell: Shell) -> None:
    done = shell("run", "--timeout", "0.3", "--", "echo before; sleep 60")
    assert done.code == 124
    assert done.out == "before\n"
    assert done.err == "error: the command did not end within 0.3 s and was stopped; see --timeout.\n"


def test_json_is_the_result_and_nothing_else(shell: Shell) -> None:
    done = shell("run", "--json", "--", "echo out; exit 3")
    assert done.code == 3
    assert done.json["stdout"] == "out\n"
    assert done.json["exitCode"] == 3
    assert done.err == ""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are counted on Linux")
def test_a_command_that_was_ended_for_its_processes_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERMINAL_MAX_PROCESSES", "20")
    done = shell("run", "--", "for i in $(seq 40); do sleep 60 & done; wait")
    assert done.code == 137
    assert done.err.startswith("warning: ")
    assert "TERMINAL_MAX_PROCESSES" in done.err


def test_what_it_cannot_do_is_one_line(shell: Shell) -> None:
    done = shell("run", "--timeout", "10000", "true")
    assert done.code == 1
    assert done.err.startswith("error: 'timeoutSeconds' is not valid")
    done = shell("run", "--cwd", "/nowhere/at/all", "true")
    assert done.code == 1
    assert done.err.startswith("error: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_too(
    shell: Shell, environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    process, command = running(environ, tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert (out, err) == ("", "Stopping …\n")
    assert not lives(command)


def test_a_terminal_that_goes_hangs_up_more_than_once(shell: Shell, environ: dict[str, str], tmp_path: Path) -> None:
    process, command = running(environ, tmp_path)
    for _ in range(5):
        process.send_signal(signal.SIGHUP)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGHUP
    assert not lives(command)


def test_under_nohup_a_hang_up_means_nothing(shell: Shell, environ: dict[str, str], tmp_path: Path) -> None:
    process, command = running(environ, tmp_path, "nohup")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert not lives(command)


def running(environ: dict[str, str], tmp_path: Path, *before: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """The process of `run`, and that of its command, which is up."""
    pid = tmp_path / "pid"
    line = f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 300"
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "mcp_gateway", "run", "--timeout", "200", "--", line],
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 10
    while not pid.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process, psutil.Process(int(pid.read_text()))
