"""What is sent to a POSIX host, run by real shells."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.terminal.marker import MARKER
from shared.terminal.ssh.remote_shell import (
    LAUNCHER,
    MAX_STATE,
    RemoteState,
    Separator,
    _line,
    content,
    greeting,
    is_gone,
    parse,
    reaper,
    shells,
    task,
)
from tests.support.terminals import a_nap, eventually, running, running_programs

SHELLS = ["bash", "dash"]
NONCE = "0123456789abcdef"


class Ran:
    def __init__(
        self, login_shell: str, command: str, state: RemoteState, *, path: str = "", stdin: bytes = b"", **env: str
    ) -> None:
        login_shell = shutil.which(login_shell) or "/bin/sh"
        nonce = token_hex(16)
        self.marker = f"test:{token_hex(4)}"
        begin = shells(state, {}, marker=self.marker, nonce=nonce)
        line = begin + task(command, state, env, nonce=nonce)
        assert line.isascii()
        assert line.count(b"\n") == 5
        reading, writing = os.pipe()  # whose end stays open, as a channel's does
        try:
            sending = begin + task(command, state, env, nonce=nonce, stdin=stdin)
            assert os.write(writing, sending) == len(sending)
            self.ended = subprocess.run(
                [login_shell, "-c", LAUNCHER],
                stdin=reading,
                env={"PATH": path or os.environ["PATH"], "HOME": "/usr", "BASE": "base", "LANG": "C.UTF-8"},
                capture_output=True,
                check=False,
                timeout=20,
                start_new_session=True,
            )
        finally:
            os.close(reading)
            os.close(writing)
        stderr = bytearray()
        separator = Separator(nonce, stderr.extend)
        separator.feed(self.ended.stderr)
        separator.finish()
        greets, _, told = bytes(stderr).partition(b"\n")
        assert re.fullmatch(rf"{greeting(nonce)}\d+ /.*", greets.decode())
        self.stderr = told
        self.stdout = self.ended.stdout.removesuffix(f"{nonce}{nonce}".encode()).decode()
        self.whole = separator.whole and self.ended.stdout.endswith(f"{nonce}{nonce}".encode())
        self.report = bytes(separator.report)
        self.state = parse(self.report, nonce)


@pytest.fixture(params=SHELLS)
def login_shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def without_bash(tmp_path: Path) -> str:
    """A PATH on which bash is not found."""
    for name in ("sh", "mkdir", "cat", "rm", "env", "sleep", "kill", "printenv", "head"):
        found = next(Path(folder) / name for folder in ("/bin", "/usr/bin") if (Path(folder) / name).exists())
        (tmp_path / name).symlink_to(found)
    return str(tmp_path)


def test_the_state_goes_from_shell_to_shell(login_shell: str) -> None:
    first = Ran(
        login_shell, 'export A="it\'s $((1+1)) `echo x`\n%s \\\\ !"; unset BASE; cd /; umask 027; exit 3', RemoteState()
    )
    assert first.ended.returncode == 3
    assert first.state is not None
    second = Ran(login_shell, 'printenv A; echo "${BASE-none}"; pwd; umask', first.state)
    assert second.stdout == "it's 2 x\n%s \\ !\nnone\n/\n0027\n"
    assert second.stderr == b""


def test_it_works_where_there_is_no_bash(login_shell: str, without_bash: str) -> None:
    first = Ran(login_shell, 'export A="it\'s\n"; cd /', RemoteState(), path=without_bash)
    assert first.state is not None
    assert Ran(login_shell, 'printf %s "$A"; pwd; exit 9', first.state, path=without_bash).stdout == "it's\n/\n"


def test_text_of_any_kind_carries_over(login_shell: str) -> None:
    first = Ran(login_shell, "export A=é漢😀 B=$(printf '\\377')", RemoteState())
    assert first.state is not None
    assert Ran(login_shell, 'printf %s "$A$B" | od -An -tx1', first.state).stdout.split()[-5:] == [
        "f0",
        "9f",
        "98",
        "80",
        "ff",
    ]


def test_the_variables_given_are_exported(login_shell: str) -> None:
    assert Ran(login_shell, "printenv X Y", RemoteState(), X="it's", Y="é\n$z").stdout == "it's\né\n$z\n"


@pytest.mark.parametrize(("cwd", "shown"), [("~", "/usr"), ("~/lib", "/usr/lib"), ("/", "/"), ("lib", "/usr/lib")])
def test_directories_are_those_that_are_meant(login_shell: str, cwd: str, shown: str) -> None:
    assert Ran(login_shell, "pwd", RemoteState(cwd if cwd != "lib" else "~/lib")).stdout == f"{shown}\n"


def test_a_directory_that_is_not_there_is_reported_and_nothing_is_run(login_shell: str, tmp_path: Path) -> None:
    ran = Ran(login_shell, f"touch {tmp_path}/ran", RemoteState("/nonexistent"))
    assert is_gone(ran.report)
    assert ran.state is None
    assert not (tmp_path / "ran").exists()


def test_a_command_cannot_pass_for_a_missing_directory(login_shell: str) -> None:
    assert not is_gone(Ran(login_shell, "export X='\ndirectory gone'; true", RemoteState("/")).report)


@pytest.mark.parametrize("command", ["exec true", "kill -9 $$"])
def test_a_shell_that_is_gone_leaves_an_empty_report(login_shell: str, command: str) -> None:
    ran = Ran(login_shell, command, RemoteState())
    assert ran.whole
    assert content(ran.report) == b""
    assert ran.state is None
    assert ran.stderr == b""


@pytest.mark.parametrize("digits", [60_000, 300_000])
def test_variables_that_are_too_large_are_left_out_by_name(login_shell: str, without_bash: str, digits: int) -> None:
    for path in ("", without_bash):
        command = f"export SMALL=\"it's\" BIG=$(printf '%0{digits}d' 1); cd /usr; umask 027"
        state = Ran(login_shell, command, RemoteState(), path=path).state
        assert state is not None
        assert (state.cwd, state.umask) == ("/usr", "0027")
        assert state.notice is not None
        assert " BIG." in state.notice
        assert Ran(login_shell, 'echo "$SMALL ${BIG-none}"', state, path=path).stdout == "it's none\n"


def test_variables_too_many_to_be_read_are_those_from_before() -> None:
    told = f"0022\n/usr\n{_line(NONCE)}\n{'x' * MAX_STATE} is no variable"
    state = parse(f"{len(told)}\n{told}".encode(), NONCE, RemoteState("/", "", "export A=1"))
    assert state is not None
    assert (state.cwd, state.umask, state.exports) == ("/usr", "0022", "export A=1")
    assert state.notice is not None


@pytest.mark.parametrize("report", [b"", b"12", b"x\nabc", b"3\nabcd", b"4\nabc", b"-3\nabc", b"noise3\nabc"])
def test_a_report_that_something_else_wrote_into_counts_for_nothing(report: bytes) -> None:
    assert content(report) is None
    assert parse(report, "0123456789abcdef") is None
    assert not is_gone(report)


@pytest.mark.parametrize("listing", ["cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'", "set"])
def test_the_mark_is_in_no_listing(login_shell: str, listing: str) -> None:
    ran = Ran(login_shell, f"{listing}; echo end", RemoteState("/", "", "export A=hunter2"))
    assert ran.whole
    assert ran.stdout.endswith("\nend\n")
    assert ran.marker in ran.stdout
    assert ("hunter2" in ran.stdout) == (listing == "set")


@pytest.mark.parametrize("command", ["exec >/dev/null 2>&1", "exec 2>&- 9>&-; true", "exec 9>/dev/null", "set -aeuxv"])
def test_what_a_command_does_to_its_streams_and_options_hides_no_state(login_shell: str, command: str) -> None:
    ran = Ran(login_shell, f"cd /usr; export KEPT=1; {command}; exit 3", RemoteState())
    assert ran.ended.returncode == 3
    assert ran.whole
    assert ran.state is not None
    assert ran.state.cwd == "/usr"
    assert "KEPT" in ran.state.exports
    assert "__mcp_gateway" not in ran.state.exports


def test_a_group_whose_number_is_anothers_is_left_alone(login_shell: str) -> None:
    other = subprocess.Popen(["sleep", a_nap()], start_new_session=True)
    subprocess.run([login_shell, "-c", reaper(f"{token_hex(8)}:000000001", group=other.pid)], check=True, timeout=10)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_standard_input_is_the_commands(login_shell: str) -> None:
    assert Ran(login_shell, "cat", RemoteState(), stdin=b"typed").stdout == "typed"
    assert Ran(login_shell, "read -r one; cat", RemoteState("/", "", "export A=1"), stdin=b"1\n2\n").stdout == "2\n"


def test_the_reaper_ends_what_carries_the_marker(login_shell: str) -> None:
    nap = a_nap()
    other_nap = a_nap()
    marker, nonce = f"{token_hex(8)}:000000001", token_hex(16)
    begin = shells(RemoteState(), {}, marker=marker, nonce=nonce)
    command = f"setsid sleep {nap} & env -i /bin/sleep {nap} & trap '' TERM; sleep {nap}; sleep {nap}"
    line = begin + task(command, RemoteState(), {}, nonce=nonce)
    process = subprocess.Popen(
        [login_shell, "-c", LAUNCHER], start_new_session=True, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()
    other = subprocess.Popen(["sleep", other_nap], env={**os.environ, "MCP_GATEWAY_JOB": "other:1"})
    eventually(lambda: len(running_programs(nap, "sleep")) >= 3)
    subprocess.run([login_shell, "-c", reaper(marker, group=process.pid)], check=True, timeout=10)
    process.wait(5)
    process.stdin.close()
    eventually(lambda: not running(nap))
    assert other.poll() is None
    other.kill()
    other.wait()


@pytest.mark.parametrize("plain", [False, True])
def test_the_reaper_works_with_a_plain_grep_and_ends_the_terminals_of_its_connection(
    tmp_path: Path, plain: bool
) -> None:
    nap = a_nap()
    grep = tmp_path / "grep"
    refusal = 'case "$1" in *z*) exit 2;; esac' if plain else ""
    grep.write_text(f'#!/bin/sh\n{refusal}\nexec {shutil.which("grep")} "$@"\n')
    grep.chmod(0o755)
    marker = f"{token_hex(8)}:000000001"
    ours, theirs = {"SSH_CONNECTION": f"1.2.3.4 {nap}"}, {"SSH_CONNECTION": f"1.2.3.4 {nap}9"}
    tty = {"SSH_TTY": "/dev/pts/99"}
    marked, on_terminal, without_terminal, of_others = (
        subprocess.Popen(["sleep", nap], env={"PATH": os.environ["PATH"], **env})
        for env in ({MARKER: marker}, {**ours, **tty}, ours, {**theirs, **tty})
    )
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **ours}
    subprocess.run(["/bin/sh", "-c", reaper(marker)], check=True, timeout=10, env=environ)
    assert marked.wait(5) < 0
    assert on_terminal.wait(5) < 0
    for process in (without_terminal, of_others):
        assert process.poll() is None
        process.kill()
        process.wait()


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 30))
def test_the_report_is_taken_out_however_the_bytes_come(before: bytes, report: bytes, after: bytes, cut: int) -> None:
    nonce = "0123456789abcdef"
    data = before + nonce.encode() + report + nonce.encode() + after
    out = bytearray()
    separator = Separator(nonce, out.extend)
    for at in range(0, len(data), cut):
        separator.feed(data[at : at + cut])
    separator.finish()
    assert separator.whole
    assert bytes(separator.report) == report
    assert bytes(out) == before + after


def test_a_stream_that_ends_early_keeps_what_was_no_mark() -> None:
    out = bytearray()
    separator = Separator("abcdef", out.extend)
    separator.feed(b"text abc")
    assert bytes(out) == b"text "
    separator.finish()
    assert bytes(out) == b"text abc"
    assert not separator.whole
