"""What only the core can see of commands, local and over SSH; the rest is in tests/contracts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.kept import ReadKept
from shared.domain.targets import LocalTarget
from shared.errors import InvalidInput
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


async def test_output_that_is_cut_is_kept_whole(terminal: Terminal) -> None:
    result = await terminal.run("seq 1 20000; echo bad >&2", max_output_bytes=100)
    assert result.output_id is not None
    wanted = ReadKept(id=result.output_id, max_bytes=200_000)
    kept = await terminal.sessions.outputs.read(terminal.session.owner, wanted)
    assert kept.output == "".join(f"{number}\n" for number in range(1, 20001))
    errors = await terminal.sessions.outputs.read(
        terminal.session.owner, wanted.model_copy(update={"stream": "stderr"})
    )
    assert errors.output == "bad\n"


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


async def test_cancelling_ends_the_processes(terminal: Terminal) -> None:
    nap = a_nap()
    work = asyncio.ensure_future(terminal.run(f"setsid sleep {nap} & sleep {nap}"))
    await until(lambda: len(running(nap)) >= 2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not running(nap)
    assert (await terminal.run("echo usable")).stdout == "usable\n"


async def test_a_command_can_be_given_directory_and_variables(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    result = await terminal.run('pwd; echo "$X"', cwd="there", env={"X": "it's"})
    assert result.stdout == f"{tmp_path}/there\nit's\n"


async def test_lines_come_in_order_by_cursor(terminal: Terminal) -> None:
    await terminal.session.send("stty -echo; echo; seq -f 'line %.0f é' 100000; echo all-done\n")
    shown = await terminal.shows("\nall-done")
    lines = [line for line in shown.replace("\r", "").split("\n") if line.endswith("é")]
    assert lines == [f"line {i} é" for i in range(1, 100_001)]
