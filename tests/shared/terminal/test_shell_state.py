"""How a fresh shell takes over from the one before."""

import os
import subprocess
from pathlib import Path
from shlex import quote

import pytest

from shared.terminal.shell_state import MAX_REPORT, MAX_VARIABLE, MAX_VARIABLES, ShellState, arguments, parse

NONCE = "0123456789abcdef"


def after(shell: str, command: str, report: Path, **env: str) -> tuple[ShellState | None, int]:
    ended = subprocess.run(
        arguments(shell, command, report=quote(str(report)), nonce=NONCE),
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


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_variables_too_large_for_a_process_are_left_out_by_name(shell: str, tmp_path: Path) -> None:
    command = f'cd /usr; umask 027; export A="it\'s" BIG=$(printf %0{MAX_VARIABLE}d 1); export SECOND=$BIG'
    state, _ = after(shell, command, tmp_path / "report")
    assert state is not None
    assert (state.cwd, state.umask, state.env["A"]) == ("/usr", 0o027, "it's")
    assert not state.env.keys() & {"BIG", "SECOND"}
    assert state.notice is not None
    assert " SECOND, BIG." in state.notice


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_no_more_variables_are_left_out_than_must_be(shell: str, tmp_path: Path) -> None:
    each = MAX_VARIABLE - 1000
    number = MAX_VARIABLES // each + 3
    command = f'for i in $(seq {number}); do export "V$i=$(printf %0{each}d 1)"; done; export A=1'
    state, _ = after(shell, command, tmp_path / "report")
    assert state is not None
    assert len([name for name in state.env if name.startswith("V")]) == MAX_VARIABLES // each
    assert state.env["A"] == "1"


def test_a_report_that_is_too_long_still_tells_the_directory() -> None:
    report = f"{NONCE}\00022\n\0/tmp\n\0A=".encode().ljust(MAX_REPORT, b"x")
    state = parse(report, NONCE, {"B": "2"})
    assert state is not None
    assert (state.cwd, state.umask, state.env) == ("/tmp", 0o022, {"B": "2"})
    assert state.notice is not None


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_command_sees_nothing_of_how_it_is_called(shell: str, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    after(shell, f'echo "$# [$*] $0" >{seen}; env >>{seen}; nosuch 2>>{seen}', tmp_path / "report")
    assert seen.read_text().startswith(f"0 [] {shell}\n")
    assert "__mcp_gateway" not in seen.read_text()
