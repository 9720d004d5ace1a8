"""What local and SSH sessions must all do; SSH to a server in this process, and to OpenSSH's own."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget
from shared.errors import InvalidInput, TerminalError
from shared.terminal.sessions import Sessions
from tests.support.openssh_server import running_openssh
from tests.support.ssh_server import running_ssh_server
from tests.support.terminals import (
    Terminal,
    a_nap,
    make_sessions,
    opened,
    openssh_target,
    running,
    ssh_target,
    until,
)


@pytest.fixture(params=["local", "ssh", "openssh"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(kind: str) -> tuple[str, dict[str, bool]]:
    """SSH on uvloop, as `serve` has it, and local on asyncio; the local sessions have a test of their own on uvloop."""
    return "asyncio", {"use_uvloop": kind != "local"}


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, output_bytes=64 * 1024, scrollback_bytes=4 * 1024 * 1024) as made:
        yield made


@pytest.fixture
async def terminal(kind: str, tmp_path: Path, sessions: Sessions) -> AsyncIterator[Terminal]:
    if kind == "local":
        async with opened(sessions, LocalTarget(cwd=str(tmp_path))) as local:
            yield local
            return
    if kind == "openssh":
        with running_openssh(tmp_path / "sshd", tmp_path) as openssh:
            async with opened(sessions, openssh_target(openssh, cwd=str(tmp_path))) as remote:
                yield remote
                await sessions.__aexit__()
            return
    async with (
        running_ssh_server(tmp_path) as server,
        opened(sessions, ssh_target(server, cwd=str(tmp_path))) as remote,
    ):
        yield remote
        await sessions.__aexit__()


async def test_output_and_exit_code_are_the_commands_own(terminal: Terminal) -> None:
    result = await terminal.run("echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert not result.timed_out
    assert not result.truncated
    assert (result.stdout_bytes, result.stderr_bytes) == (4, 4)


async def test_directory_variables_and_umask_carry_over(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    moved = await terminal.run("cd 'sub dir'; export A='it'\"'\"'s \"$x\" `y` \\\\ !%s' B='two\nlines'; umask 027")
    assert moved.cwd == str(tmp_path / "sub dir")
    result = await terminal.run('pwd; printf "%s|%s|" "$A" "$B"; umask')
    assert result.stdout == f'{tmp_path}/sub dir\nit\'s "$x" `y` \\\\ !%s|two\nlines|0027\n'
    await terminal.run("unset A; B=changed")
    assert (await terminal.run('echo "${A-none} $B"')).stdout == "none changed\n"


async def test_what_is_not_exported_does_not_carry_over(terminal: Terminal) -> None:
    await terminal.run("local_only=1; set -f")
    assert (await terminal.run('echo "${local_only-none}" /*')).stdout.startswith("none /bin")


@pytest.mark.parametrize(
    "command", ["cd /usr; exit 7", "set -e; cd /usr; (exit 7)", "set -eu; cd /usr; trap 'true' EXIT; (exit 7); true"]
)
async def test_leaving_early_keeps_the_state_and_the_exit_code(terminal: Terminal, command: str) -> None:
    result = await terminal.run(command)
    assert result.exit_code == 7
    if "trap" not in command:  # one that has its own way of leaving is left to it
        assert (await terminal.run("pwd")).stdout == "/usr\n"


async def test_a_trap_of_the_command_runs_and_the_state_is_kept(terminal: Terminal) -> None:
    result = await terminal.run("trap 'echo bye' EXIT; cd /usr")
    assert result.stdout == "bye\n"
    assert (await terminal.run("pwd")).stdout == "/usr\n"


@pytest.mark.parametrize("command", ["cd /usr; exec true", "cd /usr; kill -9 $$"])
async def test_a_shell_that_is_replaced_or_killed_leaves_the_state_as_it_was(
    terminal: Terminal, tmp_path: Path, command: str
) -> None:
    result = await terminal.run(command)
    assert result.cwd == str(tmp_path)
    assert (await terminal.run("pwd")).stdout == f"{tmp_path}\n"


async def test_a_signal_is_told_as_a_shell_tells_it(terminal: Terminal) -> None:
    result = await terminal.run("kill -9 $$")
    assert result.exit_code == 137
    assert result.signal == "SIGKILL"
    assert result.stderr == ""


async def test_tracing_shows_the_command_and_nothing_of_ours(terminal: Terminal) -> None:
    result = await terminal.run("set -xv; echo traced")
    assert result.stdout == "traced\n"
    assert "echo traced" in result.stderr
    assert "mcp_gateway" not in result.stderr


async def test_redirecting_the_shells_own_output_is_harmless(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.run("exec >log 2>&1; echo kept; cd /usr")
    assert (tmp_path / "log").read_text() == "kept\n"
    assert (await terminal.run("pwd")).stdout == "/usr\n"


async def test_a_syntax_error_is_the_commands_failure(terminal: Terminal) -> None:
    result = await terminal.run("echo 'unclosed")
    assert result.exit_code == 2
    assert "unexpected" in result.stderr
    assert "mcp_gateway" not in result.stderr


async def test_several_lines_and_here_documents_work(terminal: Terminal) -> None:
    result = await terminal.run("for i in 1 2; do\n  cat <<'END'\n$i \\ 'x'\nEND\ndone\n# a comment")
    assert result.stdout == "$i \\ 'x'\n" * 2


async def test_parameters_are_empty_as_in_a_fresh_shell(terminal: Terminal) -> None:
    assert (await terminal.run('echo "$#:$1"')).stdout == "0:\n"


async def test_standard_input_is_empty_unless_given(terminal: Terminal) -> None:
    assert (await terminal.run("cat; echo end")).stdout == "end\n"
    text = "héllo\n" * 20_000
    assert (await terminal.run("wc -c", stdin=text)).stdout.strip() == str(len(text.encode()))
    assert (await terminal.run("true", stdin=text)).exit_code == 0


async def test_the_answer_comes_when_the_shell_exits(terminal: Terminal) -> None:
    nap = a_nap()
    result = await terminal.run(f"sleep {nap} & echo started; cd /usr")
    assert result.stdout == "started\n"
    assert result.cwd == "/usr"
    assert running(nap)
    await terminal.close()
    assert not running(nap)


async def test_a_background_process_can_go_on_writing(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.run("(while [ ! -e go ]; do sleep 0.02; done; echo late; echo more; touch done) & ")
    await terminal.run("touch go")
    await until((tmp_path / "done").exists)


async def test_a_time_out_gives_what_there_is_and_leaves_nothing_alive(terminal: Terminal) -> None:
    nap = a_nap()
    result = await terminal.run(
        f"echo begun; setsid sh -c 'sleep {nap} & sleep {nap}' & (setsid sleep {nap} &); sleep {nap}", timeout=0.5
    )
    assert result.timed_out
    assert result.exit_code is None
    assert result.signal is None
    assert result.stdout == "begun\n"
    assert not running(nap)
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_a_process_that_ignores_signals_is_killed(terminal: Terminal) -> None:
    nap = a_nap()
    result = await terminal.run(f"trap '' TERM HUP INT; while :; do sleep {nap}; done", timeout=0.3)
    assert result.timed_out
    assert not running(nap)


async def test_a_time_out_spares_what_earlier_commands_left_running(terminal: Terminal) -> None:
    nap = a_nap()
    other_nap = a_nap()
    await terminal.run(f"sleep {nap} >/dev/null 2>&1 &")
    assert (await terminal.run(f"sleep {other_nap}", timeout=0.3)).timed_out
    assert running(nap)
    assert not running(other_nap)


async def test_a_flood_is_cut_in_the_middle(terminal: Terminal) -> None:
    result = await terminal.run("echo first; yes | head -c 300000; echo last")
    assert result.truncated
    assert result.stdout_bytes == 300_000 + len("first\nlast\n")
    assert result.stdout.startswith("first\ny\n")
    assert result.stdout.endswith("y\nlast\n")
    assert "bytes left out" in result.stdout
    assert len(result.stdout) < 65 * 1024
    assert not (await terminal.run("echo small")).truncated


async def test_an_endless_flood_does_not_starve_others(terminal: Terminal) -> None:
    flood = asyncio.ensure_future(terminal.run("yes", timeout=0.5, max_output_bytes=1000))
    turns = 0
    while not flood.done():
        await asyncio.sleep(0)
        turns += 1
    result = flood.result()
    assert result.timed_out
    assert result.truncated
    assert len(result.stdout) < 1200
    assert turns > 100


async def test_output_limits_can_be_lowered_and_not_raised(terminal: Terminal) -> None:
    assert len((await terminal.run("seq 10000", max_output_bytes=100)).stdout) < 200
    with pytest.raises(InvalidInput, match="maxOutputBytes"):
        await terminal.run("true", max_output_bytes=10**9)


async def test_listeners_hear_output_while_it_runs(terminal: Terminal, tmp_path: Path) -> None:
    heard = asyncio.Event()
    said: list[tuple[str, str]] = []

    def listen(stream: str, text: str) -> None:
        said.append((stream, text))
        heard.set()

    work = asyncio.ensure_future(
        terminal.run("echo one; while [ ! -e go ]; do sleep 0.02; done; echo zwö >&2", on_output=listen)
    )
    await asyncio.wait_for(heard.wait(), 5)
    assert not work.done()
    (tmp_path / "go").touch()
    await work
    assert said == [("stdout", "one\n"), ("stderr", "zwö\n")]


async def test_commands_in_one_session_queue(terminal: Terminal) -> None:
    results = await asyncio.gather(*(terminal.run(f"echo {i} >>order; sleep 0.02") for i in range(5)))
    assert [result.exit_code for result in results] == [0] * 5
    assert (await terminal.run("cat order")).stdout.split() == ["0", "1", "2", "3", "4"]


async def test_cancelling_ends_the_processes(terminal: Terminal) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
    await until(lambda: len(running(nap)) >= 2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not running(nap)
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_closing_during_a_command_ends_it_and_says_so(terminal: Terminal) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
    waiting = asyncio.ensure_future(terminal.run("echo never"))
    await until(lambda: len(running(nap)) >= 2)
    await terminal.close()
    assert not running(nap)
    for task in (work, waiting):
        with pytest.raises(TerminalError) as closed:
            await task
        assert closed.value.code == "session_closed"


async def test_a_directory_that_has_gone_stops_the_next_command(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.run("mkdir gone; cd gone")
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(TerminalError) as gone:
        await terminal.run("touch ran")
    assert gone.value.code == "directory_gone"
    assert not (tmp_path / "ran").exists()
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_a_command_can_be_given_directory_and_variables(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    result = await terminal.run('pwd; echo "$X"', cwd="there", env={"X": "it's"})
    assert result.stdout == f"{tmp_path}/there\nit's\n"


async def test_programs_are_told_that_nobody_is_watching(terminal: Terminal) -> None:
    assert (await terminal.run('echo "$TERM $PAGER"; tty')).stdout == "dumb cat\nnot a tty\n"
    await terminal.run("export PAGER=less; unset TERM")
    assert (await terminal.run('printenv TERM || echo "$PAGER"')).stdout == "less\n"


async def test_the_interactive_shell_shows_what_is_typed_and_answered(terminal: Terminal) -> None:
    await terminal.session.send("echo $((6*7)) $TERM; stty size\n")
    shown = await terminal.shows("24 80")
    assert "42 xterm-256color" in shown
    await terminal.session.resize(100, 30)
    await terminal.session.send("stty size\r")
    assert "30 100" in await terminal.shows("30 100", after=len(shown))


async def test_interrupting_reaches_the_program_in_front(terminal: Terminal) -> None:
    nap = a_nap()
    await terminal.session.send(f"sleep {nap}; echo ended $?\n")
    await until(lambda: running(nap))
    await terminal.session.send("\x03")
    await terminal.session.send("echo next $?\n")
    assert "next 130" in await terminal.shows("next 130")
    assert not running(nap)


async def test_lines_come_in_order_by_cursor(terminal: Terminal) -> None:
    await terminal.session.send("stty -echo; echo; seq -f 'line %.0f é' 100000; echo all-done\n")
    shown = await terminal.shows("\nall-done")
    lines = [line for line in shown.replace("\r", "").split("\n") if line.endswith("é")]
    assert lines == [f"line {i} é" for i in range(1, 100_001)]


async def test_the_screen_is_what_a_terminal_would_show(terminal: Terminal) -> None:
    await terminal.session.send(
        "PS1=; stty -echo; printf '\\033[2J\\033[3;5Hhere\\033[1;1Hgone\\033[1K\\033[5;1Hend'\n"
    )
    await terminal.shows("\x1b[5;1Hend")
    seen = await terminal.session.screen()
    lines, cursor = seen.look.lines, seen.cursor
    assert lines[2] == "    here"
    assert lines[0].strip() == ""
    assert lines[4].startswith("end")
    assert len(lines) == 24
    assert cursor > 0


async def test_the_end_of_the_shell_is_seen_and_typing_starts_another(terminal: Terminal) -> None:
    await terminal.session.send("exit\n")
    async with asyncio.timeout(5), terminal.session.follow() as parts:
        async for _ in parts:
            pass
    assert not terminal.session.connected
    assert not terminal.session.info.connected
    before = await terminal.session.read("x", cursor=0)
    assert "exit" in before.text
    await terminal.session.send("echo again-$((1+1))\n")
    assert terminal.session.connected
    await terminal.shows("again-2", after=before.cursor)


async def test_closing_ends_what_the_interactive_shell_started(terminal: Terminal) -> None:
    nap = a_nap()
    await terminal.session.send(f"sleep {nap}\n")
    await until(lambda: running(nap))
    await terminal.close()
    await until(lambda: not running(nap))
    with pytest.raises(TerminalError):
        await terminal.session.send("x")
