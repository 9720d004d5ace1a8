"""Sessions on systems as small as Alpine: busybox's ash is the shell, and there are no programs but busybox's."""

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import Target
from shared.terminal.keys import Input, parse
from shared.terminal.waits import Wanted
from tests.support.ssh_server import running_ssh_server
from tests.support.terminals import Terminal, a_nap, make_sessions, opened, running, ssh_target, until

BUSYBOX = shutil.which("busybox")
pytestmark = pytest.mark.skipif(BUSYBOX is None, reason="there is no busybox (Debian: busybox) to test against")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of busybox's programs."""
    assert BUSYBOX is not None
    folder = tmp_path / "bin"
    folder.mkdir()
    subprocess.run([BUSYBOX, "--install", "-s", folder], check=True, timeout=10)
    assert not (folder / "bash").exists()
    return folder


@pytest.fixture(params=["local", "ssh"])
async def terminal(request: pytest.FixtureRequest, tmp_path: Path, programs: Path) -> AsyncIterator[Terminal]:
    home = tmp_path / "home"
    home.mkdir()
    environ, shell = {"HOME": str(home), "PATH": str(programs)}, str(programs / "ash")
    async with make_sessions(tmp_path, environ=environ, shell=shell) as sessions, running_ssh_server(home) as server:
        server.shell, server.path = shell, str(programs)
        target: Target | None = ssh_target(server) if request.param == "ssh" else None
        async with opened(sessions, target) as made:
            yield made


async def test_commands_have_their_own_results_and_the_state_carries_over(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    moved = await terminal.run(f"cd '{tmp_path}/sub dir'; export A='it'\"'\"'s \"$x\"' B='two\nlines'; umask 027")
    assert (moved.cwd, moved.notice) == (f"{tmp_path}/sub dir", None)
    result = await terminal.run('pwd; printf "%s|%s|" "$A" "$B"; umask; echo err >&2; exit 3')
    assert result.stdout == f'{tmp_path}/sub dir\nit\'s "$x"|two\nlines|0027\n'
    assert (result.stderr, result.exit_code) == ("err\n", 3)
    assert (await terminal.run("wc -c", stdin="x" * 200_000)).stdout == "200000\n"
    large = await terminal.run("export BIG=$(printf %0140000d 1)")
    assert "no longer set there: BIG." in (large.notice or "")
    assert (await terminal.run('echo "$A ${BIG-none}"')).stdout == 'it\'s "$x" none\n'


async def test_nothing_of_a_command_outlives_its_time_or_its_session(terminal: Terminal) -> None:
    late, background = a_nap(), a_nap()
    result = await terminal.run(f"sleep {late} & setsid sleep {late}", timeout=1)
    assert result.timed_out
    await until(lambda: not running(late))
    assert (await terminal.run(f"sleep {background} & echo begun")).stdout == "begun\n"
    assert running(background)
    await terminal.close()
    await until(lambda: not running(background))


async def test_the_interactive_shell_shows_its_prompt_and_heeds_keys_and_signals(terminal: Terminal) -> None:
    session, nap = terminal.session, a_nap()
    await session.start()
    assert (await session.wait(Wanted(kind="prompt", timeout=5, quiet=0.2), after=0)).reason == "prompt-like"
    for interrupt in ("key", "signal"):
        after = await session.send(f"sleep {nap}; echo ov''er\n")
        await until(lambda: running(nap))
        if interrupt == "key":
            await session.send(Input(keys=parse("<C-c>")))
        else:
            await session.signal("INT")
        await until(lambda: not running(nap))
        asked = await session.wait(Wanted(kind="prompt", timeout=5, quiet=0.2), after=after)
        assert asked.reason == "prompt-like"
    await session.send("echo $((40+2))-shown; stty size\n")
    await terminal.shows("42-shown\r\n24 80")
