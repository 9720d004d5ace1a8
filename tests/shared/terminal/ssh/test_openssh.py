"""What only OpenSSH's own server can show: its signals, its limits, its keys and certificates."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest
from pydantic import SecretStr

from shared.errors import HostKeyChanged, TerminalError
from shared.terminal.sessions import Sessions
from tests.support.openssh_server import OpenSsh, running_openssh
from tests.support.terminals import (
    a_nap,
    eventually,
    make_sessions,
    open_descriptors,
    opened,
    openssh_target,
    running,
    until,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenSsh]:
    home = tmp_path / "home"
    home.mkdir()
    with running_openssh(tmp_path / "sshd", home) as made:
        yield made


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, sessions=100, sessions_per_caller=100) as made:
        yield made


async def test_fifty_sessions_at_once_keep_apart(sessions: Sessions, server: OpenSsh) -> None:
    async def use(number: int) -> str:
        async with opened(sessions, openssh_target(server)) as terminal:
            await terminal.run(f"export NUMBER={number}")
            told = (await terminal.run('echo "$NUMBER"')).stdout
            await terminal.close()
            return told

    before = open_descriptors()
    assert await asyncio.gather(*map(use, range(50))) == [f"{number}\n" for number in range(50)]
    assert len(sessions) == 0
    await until(lambda: open_descriptors() <= before)


async def test_a_connection_dropped_in_the_middle_is_told_and_made_again(sessions: Sessions, server: OpenSsh) -> None:
    nap = a_nap()
    async with opened(sessions, openssh_target(server)) as terminal:
        await terminal.run("cd /usr; export KEPT=yes")
        work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
        await until(lambda: len(running(nap)) >= 2)
        server.drop()
        with pytest.raises(TerminalError) as lost:
            await asyncio.wait_for(work, 5)
        assert lost.value.code == "connection_lost"
        again = await terminal.run('pwd; echo "$KEPT"')
        assert again.stdout == "/usr\nyes\n"
        assert again.notice is not None
        assert not running(nap), "what was cut off is ended"
        await terminal.close()


async def test_a_background_process_outlives_a_time_out_but_not_the_session(
    sessions: Sessions, server: OpenSsh
) -> None:
    nap, other = a_nap(), a_nap()
    async with opened(sessions, openssh_target(server)) as terminal:
        await terminal.run(f"setsid sleep {nap} >/dev/null 2>&1 &")
        assert (await terminal.run(f"trap '' TERM; sleep {other}; sleep {other}", timeout=0.5)).timed_out
        assert running(nap)
        assert not running(other)
        await terminal.close()
        assert not running(nap)


async def test_no_variable_is_on_a_command_line_that_others_can_see(sessions: Sessions, server: OpenSsh) -> None:
    async with opened(sessions, openssh_target(server, env={"FIRST": "hunter1"})) as terminal:
        await terminal.run("export SECOND=hunter2")
        seen = await terminal.run("ps -eo args; echo ${#FIRST}${#SECOND}", env={"THIRD": "hunter3"})
        assert seen.stdout.endswith("77\n")
        assert not [name for name in ("hunter1", "hunter2", "hunter3") if name in seen.stdout]
        await terminal.close()


async def test_a_server_with_another_key_is_refused(sessions: Sessions, server: OpenSsh, tmp_path: Path) -> None:
    async with opened(sessions, openssh_target(server)) as terminal:
        await terminal.close()
    server.process.terminate()
    server.process.wait(5)
    with running_openssh(tmp_path / "other", server.home, port=server.port) as impostor:
        with pytest.raises(HostKeyChanged) as changed:
            await sessions.open("a", openssh_target(impostor))
        assert isinstance(changed.value.details, dict)
        assert changed.value.details["knownFingerprint"] == server.host_key.get_fingerprint()
        assert changed.value.details["presentedFingerprint"] == impostor.host_key.get_fingerprint()


async def test_a_certificate_logs_in(sessions: Sessions, tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    authority.write_public_key(tmp_path / "authority.pub")
    with running_openssh(tmp_path / "sshd", tmp_path, more=f"TrustedUserCAKeys {tmp_path}/authority.pub") as server:
        stranger = asyncssh.generate_private_key("ssh-ed25519")
        certificate = authority.generate_user_certificate(stranger, "me", principals=[server.username])
        key = SecretStr(stranger.export_private_key("pkcs8-pem").decode())
        with pytest.raises(TerminalError) as refused:
            await sessions.open("a", openssh_target(server, private_key=key))
        assert refused.value.code == "authentication_failed"
        text = certificate.export_certificate().decode()
        async with opened(sessions, openssh_target(server, private_key=key, certificate=text)) as terminal:
            assert (await terminal.run("echo in")).stdout == "in\n"
            await terminal.close()


async def test_the_interactive_shell_ends_with_the_session(sessions: Sessions, server: OpenSsh) -> None:
    nap = a_nap()
    async with opened(sessions, openssh_target(server)) as terminal:
        await terminal.session.send(f"sleep {nap}\n")
        await until(lambda: running(nap))
        await terminal.close()
        await until(lambda: not running(nap))


async def test_what_the_interactive_shell_started_ends_too_though_it_ignores_its_end(
    sessions: Sessions, server: OpenSsh
) -> None:
    nap, others = a_nap(), a_nap()
    async with opened(sessions, openssh_target(server)) as terminal, opened(sessions, openssh_target(server)) as other:
        await other.session.send(f"sleep {others}\n")
        await terminal.session.send(
            f"trap '' HUP TERM; setsid sleep {nap} & (setsid nohup sleep {nap} &); sleep {nap}\n"
        )
        await until(lambda: len(running(nap)) >= 3 and running(others))
        await terminal.close()
        assert not running(nap)
        assert running(others)
        await other.close()
        assert not running(others)


async def test_a_host_that_allows_one_channel_at_a_time_has_it_for_what_is_wanted(
    tmp_path: Path, sessions: Sessions
) -> None:
    with running_openssh(tmp_path / "strict", tmp_path, more="MaxSessions 1") as server:
        async with opened(sessions, openssh_target(server)) as terminal:
            for number in range(3):
                assert (await terminal.run(f"echo {number}")).stdout == f"{number}\n"
            await terminal.session.send("echo typed-$((1+1))\n")
            await terminal.shows("typed-2")
            with pytest.raises(TerminalError, match=r"refuses another command or shell.*end it with `exit`"):
                await terminal.run("true")
            await terminal.session.send("exit\n")
            await until(lambda: not terminal.session.shell_runs)
            assert (await terminal.run("echo again")).stdout == "again\n"
            await terminal.close()


async def test_a_background_process_takes_no_channel_for_good_where_there_is_one(
    tmp_path: Path, sessions: Sessions
) -> None:
    nap = a_nap()
    with running_openssh(tmp_path / "strict", tmp_path, more="MaxSessions 1") as server:
        async with opened(sessions, openssh_target(server)) as terminal:
            assert (await terminal.run(f"sleep {nap} & echo begun")).stdout == "begun\n"
            assert (await terminal.run("echo again")).stdout == "again\n"
            assert running(nap)
            await terminal.run(f"sleep {nap} &")
            async with terminal.session.files() as files:
                assert (await files.look(".")).type == "directory"
            await terminal.run(f"sleep {nap} &")
            await terminal.session.send("echo typed-$((1+1))\n")
            await terminal.shows("typed-2")
            await terminal.close()
            assert not running(nap)


async def test_closing_ends_what_holds_the_only_channel(tmp_path: Path, sessions: Sessions) -> None:
    nap = a_nap()
    with running_openssh(tmp_path / "strict", tmp_path, more="MaxSessions 1") as server:
        async with opened(sessions, openssh_target(server)) as terminal:
            await terminal.run(f"trap '' HUP; sleep {nap} &")
            await terminal.close()
            assert not running(nap)


async def test_the_shell_that_waits_gives_its_channel_to_files_and_one_in_use_does_not(
    tmp_path: Path, sessions: Sessions
) -> None:
    nap = a_nap()
    with running_openssh(tmp_path / "strict", tmp_path, more="MaxSessions 1") as server:
        async with opened(sessions, openssh_target(server)) as terminal:
            await terminal.run("true")
            async with terminal.session.files() as files:
                assert (await files.look(".")).type == "directory"
            work = asyncio.ensure_future(terminal.run(f"sleep {nap}"))
            await until(lambda: running(nap))
            with pytest.raises(TerminalError) as refused:
                async with terminal.session.files():
                    pass
            assert refused.value.code == "channel_refused"
            await terminal.close()
            with pytest.raises(TerminalError):
                await work


async def test_too_many_keys_are_said_to_be_what_the_login_fails_for(tmp_path: Path) -> None:
    with running_openssh(tmp_path / "strict", tmp_path, more="MaxAuthTries 2") as server:
        strangers = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(4)]
        with agent_with(tmp_path, [*strangers, server.client_key]) as path:
            async with make_sessions(tmp_path, agent_path=str(path)) as sessions:
                with pytest.raises(TerminalError) as refused:
                    await sessions.open("a", openssh_target(server, private_key=None))
    assert refused.value.code == "authentication_failed"
    assert "IdentitiesOnly" in refused.value.message
    assert "'privateKey'" in refused.value.message


@contextmanager
def agent_with(folder: Path, keys: Sequence[asyncssh.SSHKey]) -> Iterator[Path]:
    """OpenSSH's agent with these keys, in this order."""
    programs = [shutil.which(name) or pytest.skip(f"there is no {name}") for name in ("ssh-agent", "ssh-add")]
    path = folder / "agent"
    agent = subprocess.Popen([programs[0], "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists)
        for number, key in enumerate(keys):
            key.write_private_key(folder / f"key{number}")
            (folder / f"key{number}").chmod(0o600)
            added = {**os.environ, "SSH_AUTH_SOCK": str(path)}
            subprocess.run([programs[1], "-q", folder / f"key{number}"], env=added, check=True, capture_output=True)
        yield path
    finally:
        agent.terminate()
        agent.wait(5)


async def test_a_wrong_password_is_said_to_be_one_where_a_server_offers_what_it_cannot_do(
    tmp_path: Path, sessions: Sessions
) -> None:
    usual = "Match all\n    PasswordAuthentication yes\n    KbdInteractiveAuthentication yes"
    with running_openssh(tmp_path / "usual", tmp_path, more=usual) as server:
        login = {"private_key": None, "password": SecretStr("wrong"), "agent": False}
        with pytest.raises(TerminalError) as refused:
            await sessions.open("a", openssh_target(server, **login))
    assert refused.value.code == "authentication_failed"


async def test_a_dropped_connection_ends_the_command_on_the_host_without_a_new_one(
    sessions: Sessions, server: OpenSsh
) -> None:
    nap = a_nap()
    async with opened(sessions, openssh_target(server)) as terminal:
        work = asyncio.ensure_future(terminal.run(f"trap '' TERM HUP; setsid sleep {nap} & sleep {nap}; sleep {nap}"))
        await until(lambda: len(running(nap)) >= 2)
        server.drop()
        with pytest.raises(TerminalError) as lost:
            await asyncio.wait_for(work, 5)
        assert lost.value.code == "connection_lost"
        await until(lambda: not running(nap), seconds=10)


async def test_a_first_command_that_times_out_tells_the_directory(sessions: Sessions, server: OpenSsh) -> None:
    async with opened(sessions, openssh_target(server)) as terminal:
        result = await terminal.run("sleep 100", timeout=0.5)
        assert (result.timed_out, result.stdout) == (True, "")
        assert f"{result.cwd}\n" == (await terminal.run("pwd")).stdout


async def test_standard_input_reaches_a_watched_command_whole(sessions: Sessions, server: OpenSsh) -> None:
    stdin = "".join(map(chr, range(128))) * 8192
    async with opened(sessions, openssh_target(server)) as terminal:
        counted = await terminal.run("wc -c; exit 7", stdin=stdin)
        unread = await terminal.run("exit 3", stdin=stdin)
        left = await terminal.run("head -c 5", stdin=stdin.replace("\0", "x"))
        empty = await terminal.run("cat; kill -KILL $$")
    assert (counted.stdout.strip(), counted.exit_code) == (str(len(stdin)), 7)
    assert unread.exit_code == 3
    assert left.stdout == "x\x01\x02\x03\x04"
    assert (empty.stdout, empty.signal) == ("", "SIGKILL")
