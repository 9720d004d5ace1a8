"""SSH sessions, beyond what they share with local ones."""

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from shared.errors import HostKeyChanged, InvalidInput, TerminalError
from shared.terminal.sessions import Sessions
from shared.terminal.ssh import channel, command_run, executor, login
from tests.support.children import children
from tests.support.ssh_server import SshServer, running_ssh_server
from tests.support.terminals import (
    Terminal,
    a_nap,
    open_descriptors,
    opened,
    running,
    ssh_target,
    until,
)


async def test_each_command_has_a_channel_of_its_own(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.session.send("echo typed-$((1+1))\n")
    await terminal.run("true")
    await terminal.run("true")
    await terminal.shows("typed-2")
    await until(lambda: len(ssh_server.commands) == 3)  # one waits for the next command
    assert len(ssh_server.connections) == 1


async def test_a_lost_connection_is_told_and_what_was_shown_stays(terminal: Terminal, ssh_server: SshServer) -> None:
    nap = a_nap()
    await terminal.session.send("echo typed-$((1+1))\n")
    await terminal.shows("typed-2")
    work = asyncio.ensure_future(terminal.run(f"sleep {nap}"))
    await until(lambda: running(nap))
    ssh_server.connections[0].abort()
    with pytest.raises(TerminalError) as lost:
        await work
    assert lost.value.code == "connection_lost"
    assert not terminal.session.connected
    info = terminal.session.info
    assert info.reason is not None
    assert "it broke off" in info.reason
    assert "typed-2" in (await terminal.session.read("a")).text
    await terminal.run("true")
    assert not running(nap), "what was cut off is ended"


async def test_the_next_command_connects_again_with_the_state_and_says_so(
    terminal: Terminal, ssh_server: SshServer
) -> None:
    await terminal.run("cd /usr; export KEPT=yes; umask 027")
    ssh_server.connections[0].abort()
    await until(lambda: not terminal.session.connected)
    again = await terminal.run('pwd; echo "$KEPT"; umask')
    assert again.stdout == "/usr\nyes\n0027\n"
    assert again.notice is not None
    assert "made again" in again.notice
    assert (await terminal.run("true")).notice is None
    assert terminal.session.connected
    assert terminal.session.info.reason is None
    assert ssh_server.logins == 2


async def test_typing_after_a_loss_gets_a_new_shell_that_says_so(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.session.send("cd /usr; echo typed-$((1+1))\n")
    await terminal.shows("typed-2")
    ssh_server.connections[0].abort()
    await until(lambda: not terminal.session.connected)
    cursor = terminal.session.end_cursor
    await terminal.session.send("echo again-$((1+1)); pwd\n")
    shown = await terminal.shows(str(ssh_server.home), after=cursor)
    assert "this is a new shell" in shown
    assert "again-2" in shown


async def test_a_host_that_stops_answering_counts_as_lost(
    sessions: Sessions, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "KEEPALIVE_SECONDS", 0.1)
    async with opened(sessions, ssh_target(ssh_server)) as terminal:
        await terminal.run("true")
        ssh_server.connections[0]._transport.pause_reading()  # type: ignore[union-attr]
        await until(lambda: not terminal.session.connected)
        assert terminal.session.info.reason is not None
        assert "stopped answering" in terminal.session.info.reason
        assert (await terminal.run("echo back")).stdout == "back\n"
        ssh_server.connections[0]._transport.resume_reading()  # type: ignore[union-attr]
        await terminal.close()


async def test_many_uses_of_a_lost_connection_make_one(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.run("true")
    ssh_server.connections[0].abort()
    await until(lambda: not terminal.session.connected)
    await asyncio.gather(terminal.run("true"), terminal.session.send("echo typed-$((1+1))\n"), _look(terminal))
    assert ssh_server.logins == 2


async def _look(terminal: Terminal) -> None:
    async with terminal.session.files() as files:
        await files.look(".")


async def test_a_host_that_stays_away_is_told_and_may_come_back(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await terminal.run("export KEPT=yes")
    monkeypatch.setattr("tests.support.ssh_server.PASSWORD", "another")
    ssh_server.connections[0].abort()
    await until(lambda: not terminal.session.connected)
    with pytest.raises(TerminalError) as refused:
        await terminal.run("true")
    assert refused.value.code == "authentication_failed"
    monkeypatch.undo()
    assert (await terminal.run('echo "$KEPT"')).stdout == "yes\n"


async def test_a_key_that_changed_is_refused_when_connecting_again(
    sessions: Sessions, tmp_path: Path, host_key: asyncssh.SSHKey
) -> None:
    async with running_ssh_server(tmp_path, host_keys=[host_key]) as server:
        session = await sessions.open("a", ssh_target(server))
    async with running_ssh_server(tmp_path, port=server.port) as impostor:
        with pytest.raises(HostKeyChanged):
            await session.execute(sessions.command("true"))
        assert impostor.logins == 0


async def test_no_variable_is_ever_on_a_command_line(sessions: Sessions, ssh_server: SshServer) -> None:
    async with opened(sessions, ssh_target(ssh_server, env={"FIRST": "hunter1"})) as terminal:
        await terminal.run("export SECOND=hunter2")
        for command in ("ps -eo args", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"):
            seen = await terminal.run(command, env={"THIRD": "hunter3"})
            assert not re.search(r"hunter\d", seen.stdout)
        assert (await terminal.run('echo "$FIRST $SECOND"')).stdout == "hunter1 hunter2\n"
        assert not any("hunter" in command for command in ssh_server.commands)
        await terminal.close()


async def test_a_host_that_refuses_channels_is_told_so(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, ssh_server: SshServer
) -> None:
    monkeypatch.setattr("tests.support.ssh_server.ShellSession.exec_requested", lambda *_: False)
    with pytest.raises(TerminalError) as refused:
        await terminal.run("true")
    assert refused.value.code == "channel_refused"
    assert terminal.session.connected


async def test_the_reported_signal_is_told(terminal: Terminal) -> None:
    result = await terminal.run("kill -9 $PPID")  # the outer shell, so that the server reports the signal itself
    assert (result.exit_code, result.signal) == (137, "SIGKILL")


async def test_a_command_whose_outer_shell_is_gone_ends_all_the_same(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    nap = a_nap()
    monkeypatch.setattr(command_run, "QUIET", 0.2)
    result = await terminal.run(f"sleep {nap} & echo out; kill -9 $PPID")
    assert (result.stdout, result.exit_code) == ("out\n", 137)


async def test_what_a_background_process_writes_is_never_taken_for_state(terminal: Terminal) -> None:
    noisy = "(i=0; while [ $i -lt 3000 ]; do echo 'export HACKED=yes; touch hacked' >&2; i=$((i+1)); done) & "
    await terminal.run(f"export BIG={'x' * 20_000}; true")
    for _ in range(5):
        await terminal.run(noisy + "true")
    result = await terminal.run('echo "${HACKED-no} ${#BIG}"; ls')
    assert result.stdout == "no 20000\n"


async def test_the_process_group_is_signalled_first(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nap = a_nap()
    sent: list[str] = []
    real = asyncssh.SSHClientChannel.send_signal
    monkeypatch.setattr(
        asyncssh.SSHClientChannel, "send_signal", lambda self, name: sent.append(name) or real(self, name)
    )
    assert (await terminal.run(f"sleep {nap}", timeout=0.3)).timed_out
    assert sent == ["TERM"]
    assert not running(nap)


async def test_closing_ends_what_commands_left_running_there(terminal: Terminal) -> None:
    nap = a_nap()
    await terminal.run(f"setsid sleep {nap} >/dev/null 2>&1 & true")
    assert running(nap)
    await terminal.close()
    assert not running(nap)


async def test_background_processes_hold_few_channels(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    nap = a_nap()
    for _ in range(command_run.MAX_LINGERING + 2):
        await terminal.run(f"sleep {nap} &")
    ssh_channel = terminal.session._channel
    assert isinstance(ssh_channel, channel.SshChannel)
    assert len(ssh_channel._lingering._kept) == command_run.MAX_LINGERING
    await terminal.close()
    assert not running(nap)


async def test_a_directory_for_one_command_must_be_there(terminal: Terminal, ssh_server: SshServer) -> None:
    (ssh_server.home / "sub").mkdir()
    await terminal.run("cd sub")
    with pytest.raises(InvalidInput, match="cwd"):
        await terminal.run("touch ran", cwd="nowhere")
    assert (await terminal.run("pwd; ls")).stdout == f"{ssh_server.home}/sub\n"
    assert (await terminal.run("pwd", cwd="~")).stdout == f"{ssh_server.home}\n"


async def test_the_first_directory_must_be_there_too(sessions: Sessions, ssh_server: SshServer) -> None:
    async with opened(sessions, ssh_target(ssh_server, cwd="/nonexistent")) as terminal:
        with pytest.raises(TerminalError) as gone:
            await terminal.run("pwd")
        assert gone.value.code == "directory_gone"
        assert (await terminal.run("pwd")).stdout == f"{ssh_server.home}\n"
        await terminal.close()


async def test_variables_of_the_target_are_there(sessions: Sessions, ssh_server: SshServer) -> None:
    async with opened(sessions, ssh_target(ssh_server, env={"OWN": "it's\nmine"})) as terminal:
        for _ in range(2):
            assert (await terminal.run('printf %s "$OWN"')).stdout == "it's\nmine"
        await terminal.close()


async def test_long_commands_of_any_characters_fit(terminal: Terminal) -> None:
    assert (await terminal.run("echo " + "x" * 60_000)).stdout_bytes == 60_001
    assert (await terminal.run(f'echo "{"é" * 20_000}"')).stdout_bytes == 40_001
    assert (await terminal.run("export LONG=" + "y" * 40_000)).exit_code == 0
    assert (await terminal.run('echo "${#LONG}"')).stdout == "40000\n"


async def test_a_hung_host_does_not_hold_up_closing(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "REAP_TIMEOUT", 0.1)
    monkeypatch.setattr(executor, "CLOSE_TIMEOUT", 0.1)
    await terminal.run("true")
    ssh_server.connections[0]._transport.pause_reading()  # type: ignore[union-attr]
    await asyncio.wait_for(terminal.close(), 5)


async def test_what_is_stopped_while_its_channel_opens_never_runs(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, stop = asyncio.Event(), asyncio.Event()
    create = asyncssh.SSHClientConnection.create_session

    async def hold_the_first(*given: Any, **options: Any) -> Any:
        created = await create(*given, **options)
        if not held.is_set():
            held.set()
            await asyncio.Event().wait()
        return created

    monkeypatch.setattr(asyncssh.SSHClientConnection, "create_session", hold_the_first)
    command = terminal.sessions.command("touch ran")
    work = asyncio.ensure_future(terminal.session._channel.execute(command, stop))
    await asyncio.wait_for(held.wait(), 5)
    stop.set()
    (outcome,) = await asyncio.wait_for(asyncio.gather(work, return_exceptions=True), 5)
    assert isinstance(outcome, TerminalError)
    assert outcome.code == "command_stopped"
    await until(lambda: ssh_server.shells[0]._channel.is_closing())
    assert (await terminal.run("ls")).stdout == ""


async def test_stopping_while_the_channel_opens_is_possible(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "REAP_TIMEOUT", 0.1)
    monkeypatch.setattr(executor, "CLOSE_TIMEOUT", 0.1)
    ssh_server.connections[0]._transport.pause_reading()  # type: ignore[union-attr]
    work = asyncio.ensure_future(terminal.run("true"))
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(work), 5)
    ssh_server.connections[0]._transport.resume_reading()  # type: ignore[union-attr]


async def test_sessions_leave_nothing_behind(sessions: Sessions, ssh_server: SshServer) -> None:
    nap = a_nap()

    async def use() -> None:
        async with opened(sessions, ssh_target(ssh_server), owner=os.urandom(4).hex()) as terminal:
            await terminal.run(f"sleep {nap} & true")
            await terminal.session.send("echo typed-$((1+1))\n")
            await terminal.shows("typed-2")
            await terminal.close()

    await use()
    for shell in ssh_server.shells:
        if shell._process is not None and shell._process.returncode is None:
            os.killpg(shell._process.pid, signal.SIGKILL)
    await until(lambda: not children())
    before = open_descriptors(), len(asyncio.all_tasks())
    await asyncio.gather(*(use() for _ in range(5)))
    assert not running(nap)
    await until(lambda: (open_descriptors(), len(asyncio.all_tasks())) == before)
