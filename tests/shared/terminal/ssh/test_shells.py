"""Shells that are begun before there is a command for them."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from shared.errors import Unsupported
from shared.terminal.ssh import executor, shells
from tests.support.children import children
from tests.support.ssh_server import ShellSession, SshServer
from tests.support.terminals import Terminal, a_nap, until


async def waiting(server: SshServer) -> ShellSession:
    """The one that waits, once its shell runs."""

    def found() -> list[ShellSession]:
        return [shell for shell in server.open_shells if shell._process and shell._process.returncode is None]

    await until(lambda: len(server.open_shells) == 1 and found())
    return found()[0]


def kill(shell: ShellSession) -> None:
    assert shell._process is not None
    os.killpg(shell._process.pid, signal.SIGKILL)


async def test_the_next_command_runs_in_a_shell_that_has_waited(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.run("cd /; export A='it is'")
    shell = await waiting(ssh_server)
    assert shell._process is not None
    result = await terminal.run("printenv A; pwd; ps -o pid= -s $(ps -o sid= -p $$)")
    assert result.stdout.startswith("it is\n/\n")
    assert str(shell._process.pid) in result.stdout.split()


async def test_commands_one_right_after_the_other_keep_what_the_last_one_set(terminal: Terminal) -> None:
    for number in range(6):
        result = await terminal.run(f"echo ${{N-none}}; export N={number}")
        assert result.stdout == ("none\n" if number == 0 else f"{number - 1}\n")


async def test_a_command_with_a_directory_of_its_own_runs_there(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.run("cd /usr")
    await waiting(ssh_server)
    assert (await terminal.run("pwd; printenv ONCE", cwd="lib", env={"ONCE": "1"})).stdout == "/usr/lib\n1\n"


async def test_a_directory_that_goes_while_the_shell_waits_is_said_to_be_gone(
    terminal: Terminal, ssh_server: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "place").mkdir()
    await terminal.run(f"cd {tmp_path}/place")
    await waiting(ssh_server)
    (tmp_path / "place").rmdir()
    with pytest.raises(Exception, match="nothing was run"):
        await terminal.run("echo ran")
    assert (await terminal.run("echo ran")).stdout == "ran\n"


async def test_one_that_ended_while_it_waited_costs_no_command(terminal: Terminal, ssh_server: SshServer) -> None:
    for _ in range(3):
        await terminal.run("true")
        kill(await waiting(ssh_server))
        assert (await terminal.run("echo on")).stdout == "on\n"
    await terminal.run("true")
    shell = await waiting(ssh_server)
    kill(shell)
    await until(lambda: shell.closed)
    assert (await terminal.run("echo on")).stdout == "on\n"


async def test_a_lost_connection_takes_it_along_and_the_next_command_connects_again(
    terminal: Terminal, ssh_server: SshServer
) -> None:
    await terminal.run("export A=1")
    await waiting(ssh_server)
    ssh_server.connections[0].abort()
    await until(lambda: not terminal.session.connected)
    assert (await terminal.run("printenv A")).stdout == "1\n"


@pytest.mark.parametrize("most", [1, 2])
async def test_it_makes_room_where_a_host_allows_few_channels(
    terminal: Terminal, ssh_server: SshServer, most: int
) -> None:
    ssh_server.most_channels = most
    await terminal.run("true")
    await waiting(ssh_server)
    await terminal.session.send("echo typed-$((1+1))\n")
    await terminal.shows("typed-2")
    if most == 2:
        assert (await terminal.run("echo beside")).stdout == "beside\n"


async def test_where_none_can_wait_commands_run_all_the_same(terminal: Terminal, ssh_server: SshServer) -> None:
    nap = a_nap()
    ssh_server.most_channels = 2
    await terminal.run(f"sleep {nap} & true")  # which keeps its channel
    await terminal.session.send("echo typed-$((1+1))\n")
    await terminal.shows("typed-2")
    before = len(ssh_server.commands)
    ssh_server.most_channels = 3
    assert (await terminal.run("echo on")).stdout == "on\n"
    assert len(ssh_server.commands) > before


async def test_one_that_nobody_needs_is_ended(
    terminal: Terminal, ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shells, "UNUSED_SECONDS", 0.05)
    await terminal.run("true")
    await until(lambda: len(ssh_server.shells) == 2 and not ssh_server.open_shells)
    await until(lambda: not children())
    assert (await terminal.run("echo on")).stdout == "on\n"


async def test_one_that_floods_is_ended(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.run("true")
    await waiting(ssh_server)
    ssh_server.greeting = b"x" * (2 * shells.MOST_SAID)
    assert (await terminal.run("echo on")).stdout == "on\n"
    await until(lambda: len(ssh_server.shells) == 3 and not ssh_server.open_shells)
    ssh_server.greeting = b""
    assert (await terminal.run("echo on")).stdout == "on\n"


async def test_a_command_that_is_cancelled_before_it_begins_never_runs(
    terminal: Terminal, ssh_server: SshServer, tmp_path: Path
) -> None:
    await terminal.run("true")
    work = asyncio.ensure_future(terminal.run(f"touch {tmp_path}/ran"))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await terminal.run("echo on")).stdout == "on\n"
    assert not (tmp_path / "ran").exists()


async def test_nothing_waits_once_the_session_is_closed(terminal: Terminal, ssh_server: SshServer) -> None:
    await terminal.run("true")
    await waiting(ssh_server)
    await terminal.close()
    await until(lambda: not ssh_server.open_shells and not children())


async def test_a_login_file_of_bash_is_not_read(terminal: Terminal, ssh_server: SshServer) -> None:
    (ssh_server.home / ".bashrc").write_text("echo from bashrc\n")
    for _ in range(2):
        assert (await terminal.run("export A=1; echo on")).stdout == "on\n"


@pytest.mark.parametrize("waited", [True, False])
async def test_a_host_that_is_slow_to_answer_never_runs_a_command_twice(
    terminal: Terminal, ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: bool
) -> None:
    monkeypatch.setattr(executor, "GREETING_TIMEOUT", 0.2)
    if waited:
        await terminal.run("true")
        await waiting(ssh_server)
    ssh_server.speaks.clear()
    work = asyncio.ensure_future(terminal.run(f"echo ran >>{tmp_path}/ran; sleep 0.4; echo on"))
    await until((tmp_path / "ran").exists)
    if waited:
        await asyncio.sleep(0.6)  # well beyond the patience with one that has just been begun
        ssh_server.speaks.set()
        assert (await work).stdout == "on\n"
    else:
        with pytest.raises(Unsupported):
            await work
    assert (tmp_path / "ran").read_text() == "ran\n"


async def test_what_was_stopped_while_it_was_opened_holds_no_channel(terminal: Terminal, ssh_server: SshServer) -> None:
    transport = ssh_server.connections[0]._transport
    for _ in range(3):
        transport.pause_reading()  # type: ignore[union-attr]
        work = asyncio.ensure_future(terminal.run("true"))
        await asyncio.sleep(0.02)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        transport.resume_reading()  # type: ignore[union-attr]
    await until(lambda: len(ssh_server.shells) == 3 and not ssh_server.open_shells)
