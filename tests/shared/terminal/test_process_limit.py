"""How many processes a command may have: the count, the wall behind it, and what the caller is told."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shared.terminal.keeper import confinement, headcount
from shared.terminal.process_groups import Group, ProcessLimit, find_limit
from shared.terminal.sandbox import Rules, Sandbox
from shared.terminal.sandbox_trial import find_sandbox
from tests.support.terminals import a_nap, make_sessions, opened, running, running_programs, until

pytestmark = pytest.mark.slow

MOST = 40
STARTED = 120
"""Never more, so that a limit that does not hold harms nobody."""


@pytest.fixture(params=["bwrap", "landlock", "none"])
async def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Each kind of sandbox, with a low limit."""
    if request.param != "bwrap":
        real = shutil.which
        monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == "bwrap" else real(name, **more))
    if request.param == "none":
        monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    found = await find_sandbox("auto", Rules())
    if found.kind != request.param:
        pytest.skip(found.detail)
    return replace(found, limit=ProcessLimit(MOST))


def many(nap: str) -> str:
    """That many sleepers, some of them in sessions of their own and without a parent."""
    return f"i=0; while [ $i -lt {STARTED} ]; do i=$((i+1)); (setsid sleep {nap} &) ; sleep {nap} & done; wait"


async def test_a_command_with_too_many_processes_is_ended_with_all_of_them_and_told_why(
    limited: Sandbox, tmp_path: Path
) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, sandbox=limited) as sessions, opened(sessions) as terminal:
        result = await terminal.run(many(nap), timeout=15)
        assert (result.exit_code, result.signal, result.timed_out) == (137, "SIGKILL", False)
        assert result.notice is not None
        assert "TERMINAL_MAX_PROCESSES" in result.notice
        await until(lambda: not running(nap))
        after = await terminal.run("echo well")
        assert (after.stdout, after.notice) == ("well\n", None)


KILL_ALL_ABOVE = """
import os, signal, sys, time
def above(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
def is_of_keeper(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return sys.argv[2].encode() in file.read()
ancestors, pid = [], os.getppid()
while pid > 1:
    ancestors.append(pid)
    pid = above(pid)
keepers = list(filter(is_of_keeper, ancestors))
if os.fork():
    time.sleep(60)
os.setsid()
for pid in reversed(keepers):
    os.kill(pid, signal.SIGKILL)
os.execvp("sleep", ["sleep", sys.argv[1]])
"""


async def test_a_command_that_kills_all_above_itself_does_not_outlive_them(limited: Sandbox, tmp_path: Path) -> None:
    limit = find_limit(MOST)
    if limit.groups is None and limited.kind != "bwrap":
        pytest.skip("no control groups can be made here")
    nap = a_nap()
    async with make_sessions(tmp_path, sandbox=replace(limited, limit=limit)) as sessions, opened(sessions) as terminal:
        await terminal.run(f"{sys.executable} -c '{KILL_ALL_ABOVE}' {nap} shared.terminal.keeper", timeout=15)
        await until(lambda: not running(nap))


async def test_others_go_on_meanwhile(limited: Sandbox, tmp_path: Path) -> None:
    nap, other = a_nap(), a_nap()
    async with (
        make_sessions(tmp_path, sandbox=limited) as sessions,
        opened(sessions) as first,
        opened(sessions) as second,
    ):
        beside = asyncio.ensure_future(second.run(f"sleep {other}; echo slept", timeout=15))
        await until(lambda: running_programs(other, "sleep"))
        assert (await first.run(many(nap), timeout=15)).notice is not None
        (sleeper,) = running_programs(other, "sleep")
        await until(lambda: sleeper.status() == "sleeping")
        sleeper.terminate()
        assert (await beside).stdout == "slept\n"


async def test_as_many_as_are_allowed_are_left_alone(limited: Sandbox, tmp_path: Path) -> None:
    async with make_sessions(tmp_path, sandbox=limited) as sessions, opened(sessions) as terminal:
        loop = f"i=0; while [ $i -lt {MOST - 5} ]; do i=$((i+1)); sleep 0.3 & done; wait; echo done"
        for _ in range(3):
            assert (await terminal.run(loop)).stdout == "done\n"


async def test_a_terminal_with_too_many_says_so_where_it_is_read(limited: Sandbox, tmp_path: Path) -> None:
    nap = a_nap()
    async with make_sessions(tmp_path, sandbox=limited) as sessions, opened(sessions) as terminal:
        await terminal.session.send(many(nap) + "\n")
        await terminal.shows("TERMINAL_MAX_PROCESSES")
        assert "TERMINAL_MAX_PROCESSES" in (terminal.session.info.reason or "")
        await until(lambda: not running(nap))


async def test_without_a_limit_nothing_is_ended(tmp_path: Path) -> None:
    async with make_sessions(tmp_path, sandbox=Sandbox()) as sessions, opened(sessions) as terminal:
        loop = f"i=0; while [ $i -lt {STARTED} ]; do i=$((i+1)); sleep 0.3 & done; wait; echo done"
        result = await terminal.run(loop)
        assert (result.stdout, result.process_limit) == ("done\n", "none")


async def test_the_kernel_holds_the_wall_where_control_groups_can_be_made(tmp_path: Path) -> None:
    limit = find_limit(10)
    if limit.groups is None:
        pytest.skip("no control group can be made here")
    sandbox = Sandbox(limit=replace(limit, most=10))
    assert sandbox.limited_by == "cgroup"
    nap = a_nap()
    async with make_sessions(tmp_path, sandbox=sandbox) as sessions, opened(sessions) as terminal:
        result = await terminal.run("cat /proc/self/cgroup", timeout=15)
        (name,) = set(re.findall(rf"mcp-gateway-{os.getpid()}-\w+", result.stdout))
        group = limit.groups / name
        assert (group / "pids.max").read_text() == f"{headcount.WALL * 10}\n"
        (group / "pids.max").write_text("12")  # under the count, which would be there first
        refused = await terminal.run(f"sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep {nap} & done'", timeout=15)
        assert "fork" in refused.stderr
        assert len(running(nap)) < 12
    assert not group.exists()


def test_a_control_group_is_removed_with_all_that_runs_in_it() -> None:
    limit = find_limit(10)
    if limit.groups is None:
        pytest.skip("no control group can be made here")
    for _ in range(20):  # what was killed leaves a little later, or at once
        group = limit.new_group()
        assert isinstance(group, Group)
        sleepers = ["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done; echo started; exec sleep 60"]
        with subprocess.Popen([*group.entering(), *sleepers], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            group.remove()
        assert process.returncode == -signal.SIGKILL
        assert not group.path.exists()


FORKING = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[1])
from shared.terminal.child import Launch, Reader
from shared.terminal.keepers import Keeper
from shared.terminal.sandbox import Rules, bwrap_arguments
async def main():
    keeper = await Keeper.start(["bwrap", *bwrap_arguments([], Rules())], {}, most_processes=10)
    reading, writing = os.pipe()
    said = bytearray()
    reader = Reader(reading, said.extend)
    fork = ["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 0.5 & done; wait"]
    launch = Launch(arguments=fork, env={"PATH": "/usr/bin:/bin"}, cwd="/", descriptors=(-1, writing, writing))
    refused, children = 0, []
    for _ in range(8):
        try:
            children.append(await keeper.child(launch))
        except BlockingIOError:
            refused += 1
    os.close(writing)
    await reader.ended.wait()
    print(len(children), sum(child.notice is not None for child in children), refused + said.decode().count("fork"))
    await keeper.aclose()
asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
async def test_under_bubblewrap_the_kernel_counts_what_all_commands_of_an_ordinary_user_have_together() -> None:
    root = os.getuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed, by which root becomes an ordinary user")
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if root else []
    command = [*other, sys.executable, "-c", FORKING, str(Path(__file__).parents[3])]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/"
    )
    said, error = await asyncio.wait_for(process.communicate(), 20)
    if process.returncode:
        pytest.skip(f"bubblewrap, or this code, is not for that user: {error.decode()[-200:]}")
    started, crowded, refused = map(int, said.split())
    assert started
    assert crowded == 0
    assert refused


def unified(root: Path, controllers: str, members: str) -> Path:
    """A control group of version 2 as it looks."""
    place = root / "service"
    place.mkdir(parents=True)
    for name, text in (("cgroup.controllers", controllers), ("cgroup.procs", members), ("cgroup.subtree_control", "")):
        (place / name).write_text(text)
    (root / "own").write_text("0::/service\n")
    return place


def test_a_delegated_group_of_ones_own_is_used_after_moving_down(tmp_path: Path) -> None:
    place = unified(tmp_path, "memory pids", f"{os.getpid()}\n")
    limit = find_limit(10, root=tmp_path, own=tmp_path / "own")
    assert limit.groups == place
    assert (place / "mcp-gateway-itself" / "cgroup.procs").read_text() == str(os.getpid())
    assert (place / "cgroup.subtree_control").read_text() == "+pids"
    (tmp_path / "own").write_text("0::/service/mcp-gateway-itself\n")
    assert find_limit(10, root=tmp_path, own=tmp_path / "own").groups == place


@pytest.mark.parametrize(
    ("controllers", "members"),
    [("memory", f"{os.getpid()}\n"), ("memory pids", f"1\n{os.getpid()}\n"), ("pids", "")],
    ids=["without the controller", "with somebody else in it", "without ourselves"],
)
def test_a_group_that_is_not_ones_own_is_left_alone(tmp_path: Path, controllers: str, members: str) -> None:
    place = unified(tmp_path, controllers, members)
    limit = find_limit(10, root=tmp_path, own=tmp_path / "own")
    assert limit.groups is None
    assert {path.name for path in place.iterdir()} == {"cgroup.controllers", "cgroup.procs", "cgroup.subtree_control"}
    assert find_limit(10, root=tmp_path, own=tmp_path / "missing").groups is None


def test_what_a_killed_gateway_left_is_removed(tmp_path: Path) -> None:
    place = unified(tmp_path, "pids", "")
    (place / "cgroup.subtree_control").write_text("pids")
    left, living = place / f"mcp-gateway-{2**22 + 1}-0", place / f"mcp-gateway-{os.getppid()}-0"
    for path in (left, living):
        path.mkdir()
    find_limit(10, root=tmp_path, own=tmp_path / "own")
    assert (left.exists(), living.exists()) == (False, True)


MEMORY = 96 * 1024 * 1024
HOLD = "import time; held = bytearray(b'x') * {size}; print('held', flush=True); time.sleep(60)"


def holding(size: int) -> str:
    """A command that keeps that many bytes in memory, in a process of a session of its own."""
    return f'setsid -w {sys.executable} -I -S -c "{HOLD.format(size=size)}"'


async def test_a_command_with_too_much_memory_is_ended_and_told_why(limited: Sandbox, tmp_path: Path) -> None:
    sandbox = replace(limited, limit=ProcessLimit(most_bytes=MEMORY))
    async with make_sessions(tmp_path, sandbox=sandbox) as sessions, opened(sessions) as terminal:
        result = await terminal.run(holding(MEMORY * 3 // 2), timeout=15)
        assert (result.exit_code, result.signal, result.timed_out) == (137, "SIGKILL", False)
        assert "TERMINAL_MAX_MEMORY" in (result.notice or "")
        together = await terminal.run(f"{holding(MEMORY * 2 // 3)} & {holding(MEMORY * 2 // 3)} & wait", timeout=15)
        assert "TERMINAL_MAX_MEMORY" in (together.notice or "")
        one = f"{sys.executable} -I -S -c \"len(bytearray({MEMORY // 4})); print('well')\""
        after = await terminal.run(one)
        assert (after.stdout, after.notice) == ("well\n", None)
        await terminal.session.send(f"{holding(MEMORY * 3 // 2)}\n")
        await terminal.shows("TERMINAL_MAX_MEMORY")


async def test_the_kernel_refuses_one_process_what_is_far_too_much(limited: Sandbox, tmp_path: Path) -> None:
    sandbox = replace(limited, limit=ProcessLimit(most_bytes=MEMORY))
    far = headcount.WALL * MEMORY + headcount.LOWEST_MEMORY_WALL
    async with make_sessions(tmp_path, sandbox=sandbox) as sessions, opened(sessions) as terminal:
        refused = await terminal.run(f'{sys.executable} -I -S -c "bytearray({far})"')
        assert (refused.exit_code, "MemoryError" in refused.stderr) == (1, True)
