"""What a command in a session must do: on this machine and over SSH (a server in this process, OpenSSH's own), through
REST over real HTTP and through MCP's tools.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.doors import Door, Ran, Refused, RestDoor
from tests.support.mcp_terminal import needs
from tests.support.stand import Stand, standing
from tests.support.terminals import a_nap, running, until

pytestmark = pytest.mark.slow

WAYS = [("local", "rest"), ("local", "mcp"), ("ssh", "rest"), ("ssh", "mcp"), ("openssh", "rest")]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """On uvloop, as `serve` has it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    folder = tmp_path_factory.mktemp("stand")
    async with standing(folder, terminal_max_output_bytes=64 * 1024, terminal_max_sessions_per_caller=32) as made:
        yield made


class Terminal:
    """One session through one door."""

    def __init__(self, door: Door, session: str) -> None:
        self.door = door
        self.id = session

    async def run(self, command: str, **options: Any) -> Ran:
        async with asyncio.timeout(20):
            return await self.door.run(self.id, command, **options)

    async def close(self) -> None:
        await self.door.close(self.id)


@pytest.fixture(params=WAYS, ids="-".join)
async def terminal(request: pytest.FixtureRequest, stand: Stand, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A session whose directory is the test's own. REST opens it, which is quicker: MCP's tool starts its shell too."""
    kind, door = request.param[0], stand.doors[request.param[1]]
    made = Terminal(door, await stand.doors["rest"].open(await stand.place(kind)))
    assert (await made.run(f"cd {tmp_path}")).cwd == str(tmp_path)
    yield made
    if made.id in {entry["id"] for entry in await door.sessions()}:
        await made.close()


async def test_output_and_exit_code_are_the_commands_own(terminal: Terminal) -> None:
    result = await terminal.run("echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert not result.timed_out
    assert not result.truncated
    assert result.stdout_bytes in (4, None)


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
    if "trap" not in command:  # one that has its own way of leaving is left to it, and told so
        assert (await terminal.run("pwd")).stdout == "/usr\n"
    assert ("without telling its state" in result.told) == ("trap" in command)


async def test_the_lines_of_a_command_are_counted_as_it_has_them(terminal: Terminal) -> None:
    lines = [":"] * 20
    lines[2] = "nosuchprogram"
    assert "bash: line 3: nosuchprogram: command not found" in (await terminal.run("\n".join(lines))).stderr


async def test_quotes_count_as_one_byte_each(terminal: Terminal) -> None:
    text = "'" * 12_000 + "x" * 77_000
    assert (await terminal.run(f"cat <<X | wc -c\n{text}\nX\necho $#")).stdout == "89001\n0\n"


async def test_a_variable_too_large_for_a_process_is_left_out_and_named(terminal: Terminal) -> None:
    result = await terminal.run("cd /usr; umask 027; export A=1 BIG=$(printf %0140000d 1)")
    assert (result.exit_code, result.cwd) == (0, "/usr")
    assert "no longer set there: BIG." in result.told
    after = await terminal.run('pwd; umask; echo "$A ${BIG-none}"')
    assert after.stdout == "/usr\n0027\n1 none\n"
    assert "no longer set" not in after.told


async def test_an_exit_code_is_one_whatever_separates_words(terminal: Terminal) -> None:
    result = await terminal.run("IFS=0; (exit 100)")
    assert (result.exit_code, result.stderr) == (100, "")


async def test_a_trap_of_the_command_runs_and_the_state_is_kept(terminal: Terminal) -> None:
    result = await terminal.run("trap 'echo bye' EXIT; cd /usr")
    assert result.stdout == "bye\n"
    assert (await terminal.run("pwd")).stdout == "/usr\n"


@pytest.mark.parametrize("command", ["cd /usr; exec true", "cd /usr; kill -9 $$"])
async def test_a_shell_that_is_replaced_or_killed_leaves_the_state_as_it_was(
    terminal: Terminal, tmp_path: Path, command: str
) -> None:
    assert (await terminal.run(command)).cwd == str(tmp_path)
    assert (await terminal.run("pwd")).stdout == f"{tmp_path}\n"


async def test_a_signal_is_told_as_a_shell_tells_it(terminal: Terminal) -> None:
    result = await terminal.run("kill -9 $$")
    assert (result.exit_code, result.stderr) == (137, "")
    assert result.signal == ("SIGKILL" if terminal.door.name == "rest" else None)


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


async def test_characters_of_every_kind_come_through(terminal: Terminal) -> None:
    text = "grüß 漢字 🙂 \\ $HOME %s"
    result = await terminal.run(f"printf '%s\\n' '{text}'; printf '%s\\n' '{text}' >&2")
    assert (result.stdout, result.stderr) == (f"{text}\n", f"{text}\n")
    assert (await terminal.run("printf 'a\\377b\\n'")).stdout == "a\ufffdb\n"


async def test_standard_input_is_empty(terminal: Terminal) -> None:
    assert (await terminal.run("cat; read x; echo end")).stdout == "end\n"


async def test_standard_input_is_what_is_given(terminal: Terminal) -> None:
    if not isinstance(terminal.door, RestDoor):
        text = "héllo\n" * 1000  # the tool takes none; a here document does the same
        assert (await terminal.run(f"wc -c <<'END'\n{text}END")).stdout.strip() == str(len(text.encode()))
        return
    text = "héllo\n" * 20_000
    assert (await terminal.run("wc -c", stdin=text)).stdout.strip() == str(len(text.encode()))
    assert (await terminal.run("true", stdin=text)).exit_code == 0


async def test_the_answer_comes_when_the_shell_exits_and_closing_ends_the_rest(terminal: Terminal) -> None:
    nap = a_nap()
    result = await terminal.run(f"sleep {nap} & echo started; cd /usr")
    assert (result.stdout, result.cwd) == ("started\n", "/usr")
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
    assert (result.timed_out, result.exit_code, result.signal, result.stdout) == (True, None, None, "begun\n")
    assert not running(nap)
    assert any(words in result.told for words in ("'timedOut': True", "ended at its time-out"))
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_a_process_that_ignores_signals_is_killed(terminal: Terminal) -> None:
    nap = a_nap()
    result = await terminal.run(f"trap '' TERM HUP INT; while :; do sleep {nap}; done", timeout=0.3)
    assert result.timed_out
    assert not running(nap)


async def test_a_time_out_spares_what_earlier_commands_left_running(terminal: Terminal) -> None:
    nap, other_nap = a_nap(), a_nap()
    await terminal.run(f"sleep {nap} >/dev/null 2>&1 &")
    assert (await terminal.run(f"sleep {other_nap}", timeout=0.3)).timed_out
    assert running(nap)
    assert not running(other_nap)


async def test_a_flood_is_cut_in_the_middle_and_counted(terminal: Terminal) -> None:
    result = await terminal.run("echo first; yes | head -c 300000; echo last")
    written = 300_000 + len("first\nlast\n")
    assert result.truncated
    assert result.stdout_bytes in (written, None)
    assert str(written) in result.told.replace(",", "")
    assert result.stdout.startswith("first\ny\n")
    assert result.stdout.endswith("y\nlast\n")
    assert "left out" in result.stdout
    assert len(result.stdout) < 65 * 1024
    assert not (await terminal.run("echo small")).truncated


async def test_commands_in_one_session_queue(terminal: Terminal) -> None:
    results = await asyncio.gather(*(terminal.run(f"echo {i} >>order; sleep 0.02") for i in range(5)))
    assert [result.exit_code for result in results] == [0] * 5
    lines = (await terminal.run("cat order")).stdout.split()
    assert sorted(lines) == ["0", "1", "2", "3", "4"]
    first, second = await asyncio.gather(
        terminal.run("echo a >>log; sleep 0.2; echo a >>log"), terminal.run("echo b >>log; sleep 0.2; echo b >>log")
    )
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "".join((await terminal.run("cat log")).stdout.split()) in ("aabb", "bbaa")


async def test_a_client_that_leaves_ends_its_command(terminal: Terminal) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
    await until(lambda: len(running(nap)) >= 2)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await until(lambda: not running(nap))
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_closing_during_a_command_ends_it_and_says_so(terminal: Terminal) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
    waiting = asyncio.ensure_future(terminal.run("echo never"))
    await until(lambda: len(running(nap)) >= 2)
    await terminal.close()
    assert not running(nap)
    for task in (work, waiting):
        with pytest.raises(Refused) as closed:
            await task
        assert closed.value.code in ("session_closed", "session_not_found")


async def test_a_directory_that_has_gone_stops_the_next_command(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.run("mkdir gone; cd gone")
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(Refused) as gone:
        await terminal.run("touch ran")
    assert gone.value.code == "directory_gone"
    assert not (tmp_path / "ran").exists()
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_programs_are_told_that_nobody_is_watching(terminal: Terminal) -> None:
    assert (await terminal.run('echo "$TERM $PAGER $GIT_PAGER"; tty')).stdout == "dumb cat cat\nnot a tty\n"
    await terminal.run("export PAGER=less; unset TERM")
    assert (await terminal.run('printenv TERM || echo "$PAGER"')).stdout == "less\n"


@needs("git")
async def test_what_would_page_prints_and_ends(terminal: Terminal, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    who = "-c user.name=A -c user.email=a@example.org"
    result = await terminal.run(
        f"git {who} commit -q --allow-empty -m one && git --paginate log --format=%s && git help -a"
    )
    assert result.stdout.startswith("one\n")
    assert result.exit_code == 0


async def test_the_sessions_of_both_doors_are_the_same(terminal: Terminal, stand: Stand) -> None:
    await terminal.run("export SEEN=everywhere")
    for door in stand.doors.values():
        assert terminal.id in {entry["id"] for entry in await door.sessions()}
        assert (await door.run(terminal.id, "echo $SEEN")).stdout == "everywhere\n"
