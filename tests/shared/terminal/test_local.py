"""Sessions on this machine, beyond what they share with the other kinds."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget
from shared.errors import InvalidInput, TerminalError
from shared.terminal import child, keepers, local, local_executor
from shared.terminal.sessions import Sessions
from tests.support.terminals import (
    Terminal,
    a_nap,
    make_sessions,
    open_descriptors,
    opened,
    running,
    running_programs,
    until,
)


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    environ = {**os.environ, "HOME": str(tmp_path), "OPENAI_API_KEY": "sk-secret", "SHOWN": "yes"}
    async with make_sessions(tmp_path, environ=environ, env_allow=("SHOWN",)) as made:
        yield made


async def type_on(terminal: Terminal) -> None:
    for _ in range(50):
        await terminal.session.send("x" * 100_000)


async def test_commands_and_shells_see_an_allow_listed_environment(sessions: Sessions) -> None:
    async with opened(sessions, LocalTarget(env={"OWN": "mine"})) as terminal:
        seen = (await terminal.run("env; cat /proc/self/environ 2>/dev/null || true")).stdout
        assert "sk-secret" not in seen
        assert "OWN=mine" in seen
        assert "SHOWN=yes" in seen
        await terminal.session.send("env; echo done-$((1+1))\n")
        shown = await terminal.shows("done-2")
        assert "sk-secret" not in shown
        assert "OWN=mine" in shown


async def test_a_command_has_no_socket_and_no_descriptor_of_ours(sessions: Sessions) -> None:
    leak = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        async with opened(sessions) as terminal:
            result = await terminal.run("ls -l /dev/fd/; [ -S /dev/stdin ] && echo socket; true")
            assert "socket" not in result.stdout
            assert sorted(
                line.split(" -> ")[0].split()[-1] for line in result.stdout.splitlines() if " -> " in line
            ) in (
                ["0", "1", "2", "3"],
                ["0", "1", "2"],
            )
            assert (await terminal.run("[ -p /dev/stdin ] && echo pipe", stdin="x")).stdout == "pipe\n"
    finally:
        os.close(leak)


async def test_sessions_begin_at_home_or_where_asked(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for cwd, expected in ((None, tmp_path), ("~/sub", tmp_path / "sub"), ("sub", tmp_path / "sub"), ("/usr", "/usr")):
        async with opened(sessions, LocalTarget(cwd=cwd)) as terminal:
            assert (await terminal.run("pwd")).stdout == f"{expected}\n"
            await terminal.close()


@pytest.mark.parametrize(
    ("target", "field"), [(LocalTarget(cwd="/nonexistent"), "cwd"), (LocalTarget(shell="nosuchshell"), "shell")]
)
async def test_what_is_not_there_is_refused_by_name(sessions: Sessions, target: LocalTarget, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await sessions.open("owner", target)
    assert refused.value.details["fields"][0]["field"] == field  # type: ignore[index, call-overload]
    assert not sessions.list("owner")


async def test_a_shell_that_the_settings_name_and_is_not_there_is_no_fault_of_the_caller(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, shell="/nosuch") as sessions:
        with pytest.raises(TerminalError, match="TERMINAL_SHELL names a program that is not there: /nosuch") as refused:
            await sessions.open("owner", LocalTarget())
        assert refused.value.code == "shell_not_started"
        async with opened(sessions, LocalTarget(shell="sh")) as terminal:
            assert (await terminal.run("echo here")).stdout == "here\n"


async def test_a_command_in_a_directory_that_is_not_there_is_refused(sessions: Sessions) -> None:
    async with opened(sessions) as terminal:
        with pytest.raises(InvalidInput, match="cwd"):
            await terminal.run("touch ran", cwd="nowhere")
        assert (await terminal.run("ls ran")).exit_code != 0


async def test_the_interactive_shell_takes_over_directory_and_variables(sessions: Sessions, tmp_path: Path) -> None:
    async with opened(sessions) as terminal:
        await terminal.run("mkdir there; cd there; export CARRIED=over; umask 0077")
        await terminal.session.send("echo $PWD $CARRIED ${PAGER-none}; umask; tty; echo end-$((1+1))\n")
        shown = await terminal.shows("end-2")
        assert f"{tmp_path}/there over none" in shown
        assert "0077" in shown
        assert "/dev/" in shown


async def test_job_control_works_in_the_interactive_shell(sessions: Sessions) -> None:
    nap = a_nap()
    async with opened(sessions, LocalTarget(shell="bash")) as terminal:
        await terminal.session.send(f"sleep {nap} & jobs; kill %1; wait; echo waited-$((1+1))\n")
        shown = await terminal.shows("waited-2")
        assert "Running" in shown
        assert "no job control" not in shown


async def test_a_shell_that_is_not_posix_is_for_typing_only(sessions: Sessions, tmp_path: Path) -> None:
    odd = tmp_path / "oddshell"
    odd.write_text("#!/bin/sh\necho this is odd; cat\n")
    odd.chmod(0o755)
    async with opened(sessions, LocalTarget(shell=str(odd))) as terminal:
        with pytest.raises(TerminalError, match="oddshell"):
            await terminal.run("echo ran")
        await terminal.session.send("hello\n")
        await terminal.shows("this is odd")


async def test_a_command_leaves_nothing_on_the_disk_and_its_state_is_no_file(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    nap = a_nap()
    async with opened(sessions, LocalTarget(cwd="/", env={"TMPDIR": str(tmp_path)})) as terminal:
        work = asyncio.ensure_future(terminal.run(f"sleep {nap}", timeout=5))
        await until(lambda: running(nap))
        assert not list(tmp_path.iterdir())
        await terminal.close()
        with pytest.raises(TerminalError):
            await work
    assert not list(tmp_path.iterdir())


async def test_a_command_too_big_for_the_system_is_an_error_that_says_so(sessions: Sessions) -> None:
    async with opened(sessions) as terminal:
        await terminal.run("true")
        before = open_descriptors()
        with pytest.raises(TerminalError) as failed:
            await terminal.run("true", env={f"V{i}": "x" * 32_000 for i in range(200)})
        assert failed.value.code == "shell_not_started"
        assert (await terminal.run("echo usable")).stdout == "usable\n"
        await until(lambda: open_descriptors() <= before)


async def test_a_shell_that_cannot_start_is_tried_again(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    async with opened(sessions) as terminal:
        with monkeypatch.context() as patch:
            patch.setattr(keepers.Keeper, "hand_over", refused)
            for _ in range(2):
                with pytest.raises(TerminalError, match="temporarily"):
                    await terminal.session.send("x")
        await terminal.session.send("echo back-$((1+1))\n")
        await terminal.shows("back-2")


async def test_typing_to_a_program_that_does_not_read_is_bounded(sessions: Sessions) -> None:
    nap = a_nap()
    async with opened(sessions) as terminal:
        await terminal.session.send(f"stty raw -echo; sleep {nap}\n")
        await until(lambda: running(nap))
        with pytest.raises(TerminalError) as full:
            await type_on(terminal)
        assert full.value.code == "input_not_read"
        assert "the signal INT" in full.value.message
        await terminal.session.signal("INT")
        await until(lambda: not running(nap))
        await terminal.close()
        assert not running(nap)


async def test_many_background_processes_hold_few_descriptors(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    nap = a_nap()
    monkeypatch.setattr(local_executor, "MAX_LINGERING", 4)
    async with opened(sessions) as terminal:
        await terminal.run("true")
        before = open_descriptors()
        for _ in range(6):
            await terminal.run(f"sleep {nap} &")
        assert open_descriptors() <= before + 4 + 6  # and one for each, to end it by
        await terminal.close()
        assert not running(nap)


async def test_a_flood_on_the_terminal_is_bounded_and_can_be_stopped(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, scrollback_bytes=32 * 1024) as small, opened(small) as terminal:
        await terminal.session.send("yes\n")
        await until(lambda: terminal.session._seat.scrollback.start > 500_000)
        part = await terminal.session.read("slow", cursor=0)
        assert part.dropped > 500_000 - 32 * 1024
        assert len(part.text) <= 32 * 1024
        await terminal.session.send("\x03")
        await terminal.session.send("echo still-$((1+1))\n")
        await terminal.shows("still-2", after=part.cursor)


async def test_time_is_up_for_what_dropped_the_marker_too(sessions: Sessions) -> None:
    nap = a_nap()
    async with opened(sessions) as terminal:
        result = await terminal.run(f"(env -i sleep {nap} &); echo begun; sleep {nap}", timeout=0.5)
        assert (result.stdout, result.timed_out) == ("begun\n", True)
        assert not running(nap)


async def test_closing_ends_what_dropped_the_marker_too(sessions: Sessions) -> None:
    nap = a_nap()
    async with opened(sessions) as terminal:
        await terminal.run(f"env -i sleep {nap} >/dev/null 2>&1 &")
        await terminal.run("true")
        await until(lambda: running(nap))
        await terminal.close()
        assert not running(nap)


async def test_closing_ends_what_an_interactive_shell_left_that_has_ended(sessions: Sessions) -> None:
    nap = a_nap()
    async with opened(sessions, LocalTarget(shell="bash")) as terminal:
        await terminal.session.send(f"(trap '' HUP; exec env -i sleep {nap}) &\n")
        await until(lambda: bool(running_programs(nap, "sleep")))
        await terminal.session.send("disown -a; exit\n")
        await until(lambda: not terminal.session.connected)
        await terminal.session.send("echo again-$((1+1))\n")
        await until(lambda: len(running(nap)) == 1)
        await terminal.close()
        assert not running(nap)


async def test_shells_that_left_nothing_are_forgotten(sessions: Sessions) -> None:
    async with opened(sessions) as terminal:
        on_this_machine = terminal.session._channel
        assert isinstance(on_this_machine, local.LocalChannel)
        await terminal.run("true")
        await until(lambda: all(kept.gone.is_set() for kept in on_this_machine._children))
        await terminal.run(f"sleep {a_nap()} &")
        await terminal.run("true")
        assert 1 <= len(on_this_machine._children) <= 2


async def test_a_terminal_whose_start_is_cancelled_gives_its_descriptors_back(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    async with opened(sessions) as terminal:
        await terminal.run("true")
        before = open_descriptors()
        with monkeypatch.context() as patch:
            patch.setattr(child.Child, "_order", cancelled)
            with pytest.raises(asyncio.CancelledError):
                await terminal.session._channel.start()
        assert open_descriptors() <= before


async def test_what_clients_type_stays_out_of_the_users_history(sessions: Sessions) -> None:
    async with opened(sessions) as terminal:
        await terminal.session.send("echo history=$HISTFILE.\n")
        await terminal.shows("history=/dev/null.")


async def test_a_directory_that_has_gone_is_told_where_a_shell_is_to_start(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    async with opened(sessions, LocalTarget(cwd=str(tmp_path / "gone"))) as terminal:
        (tmp_path / "gone").rmdir()
        with pytest.raises(TerminalError) as gone:
            await terminal.session.read("a")
        assert gone.value.code == "directory_gone"
        assert gone.value.details == {"gone": str(tmp_path / "gone"), "cwd": "/"}
        await terminal.session.send("pwd; echo in-$((1+1))\n")
        assert "\r/\r\n" in await terminal.shows("in-2")
        assert terminal.session.directory == "/"


async def test_a_shell_that_starts_clears_the_reason_why_the_one_before_ended(sessions: Sessions) -> None:
    async with opened(sessions, LocalTarget(shell="bash")) as terminal:
        terminal.session._seat.reason = "It had too many processes."
        await terminal.session.send("exit\n")
        await until(lambda: not terminal.session.connected)
        assert terminal.session.info.reason == "The shell has ended; typing starts a new one."


async def test_a_shell_that_was_asked_for_is_honoured_or_refused(sessions: Sessions, tmp_path: Path) -> None:
    false = shutil.which("false") or "/bin/false"
    async with opened(sessions, LocalTarget(shell=false)) as terminal:
        with pytest.raises(TerminalError, match="'false'") as refused:
            await terminal.run("echo hello")
        assert refused.value.code == "shell_not_posix"
        await terminal.session.read("test", cursor=0, wait=5)
        await until(lambda: not terminal.session.connected)
        assert terminal.session.info.exit_code == 1
    async with make_sessions(tmp_path, shell=false) as configured, opened(configured) as terminal:
        assert (await terminal.run("echo hello")).stdout == "hello\n"


async def test_fish_is_typed_into_but_runs_no_commands(sessions: Sessions) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    async with opened(sessions, LocalTarget(shell="fish")) as terminal:
        with pytest.raises(TerminalError, match="'fish'"):
            await terminal.run("echo hello")
        await terminal.session.send("string join - fi sh\r")
        await terminal.shows("fi-sh")
