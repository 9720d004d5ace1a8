"""Child processes and their pipes as the event loop sees them."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from signal import SIGHUP, SIGKILL
from typing import Any

import psutil
import pytest

from shared.terminal import child as child_module
from shared.terminal.child import MAX_PENDING_INPUT, Child, Launch, Reader, Writer
from shared.terminal.keepers import Keeper
from tests.support.children import children
from tests.support.terminals import a_nap, open_descriptors, running, running_programs, until

NOTHING = (-1, -1, -1)


def launch(command: str, **options: Any) -> Launch:
    given = {"descriptors": NOTHING, **options}
    return Launch(arguments=["/bin/sh", "-c", command], env={"PATH": os.environ["PATH"]}, cwd="/", **given)


def nothing_new(before: tuple[int, list[int]]) -> bool:
    """Whether there are no more descriptors and no other children than before."""
    return open_descriptors() <= before[0] and set(children()) <= set(before[1])


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    keeper = await Keeper.start([], {})
    yield keeper
    await keeper.aclose()


@pytest.mark.parametrize(("command", "code", "signal"), [("exit 7", 7, None), ("kill -TERM $$", 143, "SIGTERM")])
async def test_the_end_of_a_child_is_told_and_leaves_nothing(
    keeper: Keeper, command: str, code: int, signal: str | None
) -> None:
    before = open_descriptors(), children()
    child = await Child.start(keeper, launch(command))
    await asyncio.wait_for(child.exited.wait(), 5)
    assert (child.exit_code, child.signal) == (code, signal)
    await asyncio.wait_for(child.gone.wait(), 5)
    await until(lambda: nothing_new(before))


async def test_a_child_is_alone_in_its_session_with_three_descriptors(keeper: Keeper) -> None:
    reading, writing = os.pipe()
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    output = bytearray()
    reader = Reader(reading, output.extend)
    command = "ls /dev/fd/ | wc -l; echo $$; ps -o sid= -p $$ || true"
    child = await Child.start(keeper, launch(command, descriptors=(-1, writing, -1)))
    os.close(writing)
    os.close(inherited)
    await asyncio.wait_for(reader.ended.wait(), 5)
    await asyncio.wait_for(child.exited.wait(), 5)
    count, pid, *session = output.decode().split()
    assert int(count) <= 4  # three, and the one that ls has on the directory
    assert session in ([], [pid])


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"arguments": ["/nonexistent"]}, errno.ENOENT),
        ({"cwd": "/nonexistent"}, errno.ENOENT),
        ({"cwd": "/etc/passwd"}, errno.ENOTDIR),
    ],
)
async def test_what_cannot_be_started_says_why_at_once(keeper: Keeper, change: dict[str, Any], number: int) -> None:
    before = open_descriptors()
    with pytest.raises(OSError, match=r"[Nn]o") as failed:
        await Child.start(
            keeper, Launch(**{"arguments": ["/bin/sh"], "env": {}, "cwd": "/", "descriptors": NOTHING, **change})
        )
    assert failed.value.errno == number
    assert open_descriptors() <= before


def is_sleep(process: psutil.Process) -> bool:
    try:
        return process.name() == "sleep"
    except psutil.NoSuchProcess:  # a shell that has become its sleep, or ended
        return False


async def test_all_of_a_child_ends_wherever_it_went(keeper: Keeper) -> None:
    nap = a_nap()
    command = (
        f"setsid sleep {nap} & (setsid sleep {nap} & exit); (sleep {nap} & exec env -i sleep {nap}) & "
        f"setsid sh -c 'setsid env -i setsid sleep {nap} & exit' & sleep {nap}"
    )
    child = await Child.start(keeper, launch(command))
    await until(lambda: len([found for found in running(nap) if is_sleep(found)]) >= 6)
    assert await child.end()
    assert not running(nap)


async def test_what_a_child_leaves_running_ends_when_told(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(keeper, launch(f"(setsid env -i setsid sleep {nap} &) ; exit 3"))
    await asyncio.wait_for(child.exited.wait(), 5)
    await until(lambda: running(nap))
    assert (child.exit_code, child.gone.is_set()) == (3, False)
    assert await child.end(SIGHUP)
    assert not running(nap)


async def test_signals_that_are_ignored_and_stopped_processes_do_not_help(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(
        keeper,
        launch(
            f"trap '' TERM HUP INT; (kill -STOP $(exec sh -c 'echo $PPID'); sleep {nap}) & while :; do sleep {nap}; done"
        ),
    )
    await until(lambda: running(nap))
    assert await child.end()
    assert child.signal == "SIGKILL"
    assert not running(nap)


async def test_a_moment_is_given_to_clean_up(keeper: Keeper) -> None:
    reading, writing = os.pipe()
    output = bytearray()
    reader = Reader(reading, output.extend)
    child = await Child.start(
        keeper, launch("trap 'exit 33' TERM; echo ready; while :; do sleep 0.02; done", descriptors=(-1, writing, -1))
    )
    os.close(writing)
    await until(lambda: output == b"ready\n")
    assert await child.end()
    assert child.exit_code == 33
    reader.close()


async def test_processes_that_always_fork_and_go_are_caught(keeper: Keeper) -> None:
    reading, writing = os.pipe()
    output = bytearray()
    reader = Reader(reading, output.extend)
    bomb = "f() { echo; sleep 0.01; f & exit; }; for i in 1 2 3 4 5 6 7 8 9 10; do (f &); done; wait"
    child = await Child.start(keeper, launch(bomb, descriptors=(-1, writing, -1)))
    os.close(writing)
    await until(lambda: len(output) > 100)
    assert await child.end()
    await asyncio.wait_for(reader.ended.wait(), 5)  # nobody has its other end any more


async def test_a_warden_that_its_command_kills_takes_all_with_it(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(keeper, launch(f"setsid sleep {nap} & sleep 0.1; kill -9 $PPID; sleep {nap}"))
    await asyncio.wait_for(child.gone.wait(), 5)
    assert child.signal == "SIGKILL"
    await until(lambda: not running(nap))


async def test_a_warden_that_its_command_stops_takes_all_with_it(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(keeper, launch(f"setsid sleep {nap} & sleep 0.1; kill -STOP $PPID; sleep {nap}"))
    await asyncio.wait_for(child.gone.wait(), 5)
    await until(lambda: not running(nap))


async def test_a_keeper_that_is_killed_does_not_keep_a_child_from_ending(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(keeper, launch(f"setsid sleep {nap} & sleep {nap}"))
    keeper._process.kill()
    await until(lambda: not keeper.alive)
    assert await child.end()
    assert not running(nap)
    with pytest.raises(OSError, match="keeper"):
        await Child.start(keeper, launch("true"))


async def test_a_keeper_that_goes_ends_its_children(keeper: Keeper) -> None:
    nap = a_nap()
    child = await Child.start(keeper, launch(f"(setsid env -i sleep {nap} &); sleep {nap}"))
    await until(lambda: len(running(nap)) >= 2)
    child._control.shutdown(socket.SHUT_RDWR)  # as it is when we are killed
    await keeper.aclose()
    assert not running(nap)


async def test_one_that_waits_for_nothing_is_given_up(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def hand_over(self, control: socket.socket, descriptors: Sequence[int]) -> None:
            self.kept = control.dup()

    monkeypatch.setattr(child_module, "START_LIMIT", 0.05)
    monkeypatch.setattr(child_module, "END_LIMIT", 0.05)
    before = open_descriptors()
    silent = Silent()
    with pytest.raises(OSError, match="in time"):
        await Child.start(silent, launch("true"))
    silent.kept.close()
    assert open_descriptors() <= before


async def test_draining_takes_what_is_there_and_no_more() -> None:
    reading, writing = os.pipe()
    output = bytearray()
    reader = Reader(reading, output.extend)
    os.write(writing, b"x" * 5000)
    reader.drain()
    assert len(output) == 5000
    assert not reader.ended.is_set()
    os.close(writing)
    reader.drain()
    assert reader.ended.is_set()
    reader.close()


async def test_input_is_written_as_it_is_taken() -> None:
    reading, writing = os.pipe()
    writer = Writer(writing)
    writer.write(b"x" * 300_000)
    assert writer.room < MAX_PENDING_INPUT
    writer.write(b"end", last=True)
    output = bytearray()
    reader = Reader(reading, output.extend)
    await asyncio.wait_for(reader.ended.wait(), 5)
    assert output == b"x" * 300_000 + b"end"
    assert writer.closed


async def test_input_that_nobody_reads_is_dropped_with_its_pipe() -> None:
    reading, writing = os.pipe()
    writer = Writer(writing)
    os.close(reading)
    writer.write(b"x")
    assert writer.closed
    writer.write(b"more")
    writer.close()


async def test_input_is_given_up_when_closed() -> None:
    reading, writing = os.pipe()
    writer = Writer(writing)
    writer.write(b"x" * 300_000)
    writer.close()
    os.set_blocking(reading, False)
    while os.read(reading, 65536):
        pass
    os.close(reading)


async def test_a_start_that_is_cancelled_leaves_nothing(keeper: Keeper) -> None:
    before = open_descriptors(), children()
    nap = a_nap()
    for turns in range(6):
        starting = asyncio.ensure_future(Child.start(keeper, launch(f"sleep {nap} & sleep {nap}")))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait({starting}, timeout=5)
        if not starting.cancelled():  # it was quicker
            await starting.result().end()
        assert not running(nap)
    await until(lambda: nothing_new(before))


async def test_a_terminal_is_the_childs_own(keeper: Keeper) -> None:
    before = open_descriptors()
    child = await Child.start(keeper, launch("tty; stty size; echo done >/dev/tty", descriptors=(), terminal=(7, 33)))
    assert child.terminal is not None
    output = bytearray()
    reader = Reader(child.terminal, output.extend)
    await until(lambda: b"done" in output)
    assert output.startswith(b"/dev/")
    assert b"7 33" in output
    await asyncio.wait_for(child.gone.wait(), 5)
    reader.close()
    assert open_descriptors() <= before


async def test_waiting_for_one_that_does_not_end_is_bounded(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    nap = a_nap()
    monkeypatch.setattr(child_module, "END_LIMIT", 0.01)
    child = await Child.start(keeper, launch(f"trap '' TERM; sleep {nap}; sleep {nap}"))
    await until(lambda: running_programs(nap, "sleep"))
    assert await child.end() is False
    assert child.signal == SIGKILL.name
    await until(lambda: not running(nap))
