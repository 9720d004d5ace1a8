"""What hosts are told besides commands: a shell that greets, and hosts that have none."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from secrets import token_hex

import pytest

from shared.errors import Unsupported
from shared.terminal.marker import MARKER
from shared.terminal.ssh import executor, prepared
from tests.support.ssh_server import running_ssh_server
from tests.support.terminals import a_nap, eventually, make_sessions, opened, running_programs, ssh_target

pytestmark = pytest.mark.slow


async def test_a_host_without_a_posix_shell_is_told_at_once_with_what_it_said(tmp_path: Path) -> None:
    async with running_ssh_server(tmp_path) as server, make_sessions(tmp_path) as sessions:
        server.device = "answers"
        async with opened(sessions, ssh_target(server)) as terminal:
            for _ in range(2):
                with pytest.raises(Unsupported) as refused:
                    await terminal.run("show version", timeout=20)
                assert refused.value.code == "no_posix_shell"
                assert "% Invalid input detected at '^' marker." in refused.value.message
                assert "send_to_terminal" in refused.value.message


async def test_a_host_that_says_nothing_of_a_shell_is_not_waited_for_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "GREETING_TIMEOUT", 0.3)
    async with running_ssh_server(tmp_path) as server, make_sessions(tmp_path) as sessions:
        server.device = "hangs"
        async with asyncio.timeout(10), opened(sessions, ssh_target(server)) as terminal:
            with pytest.raises(Unsupported, match="no POSIX shell"):
                await terminal.run("show version", timeout=60)
            await terminal.close()


async def test_a_login_that_prints_something_first_is_no_hindrance(tmp_path: Path) -> None:
    async with (
        running_ssh_server(tmp_path) as server,
        make_sessions(tmp_path) as sessions,
        opened(sessions, ssh_target(server)) as terminal,
    ):
        server.greeting = b"welcome\n"
        result = await terminal.run("echo out; echo err >&2; exit 4")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "welcome\nerr\n", 4)


def test_a_prepared_command_takes_its_file_away_and_hides_its_variables(tmp_path: Path) -> None:
    nonce = "n" * 32
    text = prepared.kept("echo $SECRET; pwd; echo $#", cwd="~", env={"SECRET": 'it\'s "x"'}, marker="m", nonce=nonce)
    shell = ["/bin/sh", "-c"]
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run([*shell, prepared.keeping(nonce)], input=text, text=True, check=True, env=env)
    done = subprocess.run([*shell, prepared.running(nonce)], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == f'it\'s "x"\n{tmp_path}\n0\n'
    assert not Path(prepared.folder_of(nonce)).exists()
    assert "it's" not in prepared.running(nonce)


def test_a_signal_finds_nobody_where_no_terminal_is() -> None:
    done = subprocess.run(["/bin/sh", "-c", prepared.signaller("TERM", "nobody's")], check=False, env={})
    assert done.returncode == prepared.NOBODY
    done = subprocess.run(["/bin/sh", "-c", prepared.jobs("nobody's")], check=False, env={})
    assert done.returncode == prepared.NOBODY


@pytest.mark.parametrize("plain", [False, True])
def test_a_signal_finds_the_job_in_front_with_few_looks_however_many_processes_there_are(
    tmp_path: Path, plain: bool
) -> None:
    nap, others, marker = a_nap(), a_nap(), token_hex(16)
    grep, calls = tmp_path / "grep", tmp_path / "calls"
    refusal = 'case "$1" in *z*) exit 2;; esac' if plain else f"echo >>{calls}"
    grep.write_text(f'#!/bin/sh\n{refusal}\nexec {shutil.which("grep")} "$@"\n')
    grep.chmod(0o755)
    ours, theirs = os.openpty()
    in_front = subprocess.Popen(["setsid", "-c", "sleep", nap], stdin=theirs, env={**os.environ, MARKER: marker})
    many = [subprocess.Popen(["sleep", others], env={MARKER: f"{marker}9"}, start_new_session=True) for _ in range(30)]
    try:
        eventually(lambda: running_programs(nap, "sleep"))
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["/bin/sh", "-c", prepared.signaller("USR1", marker)], check=False, env=environ)
        assert done.returncode == 0
        eventually(lambda: not running_programs(nap, "sleep"))
        assert all(process.poll() is None for process in many)
        assert plain or len(calls.read_text().splitlines()) <= 3
    finally:
        for process in (*many, in_front):
            process.kill()
            process.wait()
        os.close(ours)
        os.close(theirs)
