"""How a fresh shell takes over from the one before."""

import os
import subprocess
from pathlib import Path
from shlex import quote

import pytest

from shared.terminal.shell_state import ShellState, parse, script

NONCE = "0123456789abcdef"


def after(shell: str, command: str, report: Path, **env: str) -> tuple[ShellState | None, int]:
    ended = subprocess.run(
        [shell, "-c", script(command, report=quote(str(report)), nonce=NONCE, shell=shell), "sh"],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        check=False,
    )
    return parse(report.read_bytes() if report.exists() else b"", NONCE), ended.returncode


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_state_is_reported_as_it_is(shell: str, tmp_path: Path) -> None:
    odd = tmp_path / "odd\n'dir\n"
    odd.mkdir()
    state, code = after(shell, 'cd "$ODD"; export A="=x\n\'" ; umask 0027; exit 5', tmp_path / "it's", ODD=str(odd))
    assert code == 5
    assert state is not None
    assert state.cwd == str(odd)
    assert state.umask == 0o027
    assert state.env["A"] == "=x\n'"
    assert not any(name.startswith("__mcp") for name in state.env)


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_names_that_are_exported_by_themselves_stay_out(shell: str, tmp_path: Path) -> None:
    state, _ = after(shell, "set -a; x=1", tmp_path / "report")
    assert state is not None
    assert state.env["x"] == "1"
    assert not {name for name in state.env if name.startswith("__mcp") or name in ("_", "SHLVL")}


@pytest.mark.parametrize("command", ["exec true", "kill -9 $$"])
def test_a_shell_that_is_gone_reports_nothing(command: str, tmp_path: Path) -> None:
    assert after("bash", command, tmp_path / "report")[0] is None


def test_a_report_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    state, code = after("bash", "exit 4", tmp_path / "missing" / "report")
    assert (state, code) == (None, 4)


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"\0",
        NONCE.encode(),
        f"{NONCE}\0".encode(),
        f"{NONCE}\00022\n\0/tmp\n\0A=1\0".encode(),
        f"{NONCE}\0not octal\0/tmp\n\0{NONCE}".encode(),
    ],
)
def test_a_report_that_is_not_whole_counts_for_nothing(report: bytes) -> None:
    assert parse(report, NONCE) is None
