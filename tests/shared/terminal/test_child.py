"""Child processes and their pipes as the event loop sees them."""

import asyncio
import os
from signal import SIGKILL
from threading import Event
from typing import Any

import psutil
import pytest

from shared.terminal import child as child_module
from shared.terminal import process_tree
from shared.terminal.child import MAX_PENDING_INPUT, Child, Launch, Reader, Writer
from tests.support.terminals import a_nap, children, open_descriptors, running, until


def launch(command: str, **options: Any) -> Launch:
    return Launch(arguments=["/bin/sh", "-c", command], env={"PATH": os.environ["PATH"]}, cwd="/", **options)


@pytest.fixture(params=["pidfd", "thread"])
def watching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "thread":

        def refused(_: int) -> int:
            raise OSError

        monkeypatch.setattr(os, "pidfd_open", refused, raising=False)


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize(("command", "code", "signal"), [("exit 7", 7, None), ("kill -TERM $$", 143, "SIGTERM")])
async def test_the_end_of_a_child_is_told_and_leaves_nothing(command: str, code: int, signal: str | None) -> None:
    before = open_descriptors(), children()
    child = await Child.start(launch(command))
    await asyncio.wait_for(child.exited.wait(), 5)
    assert (child.exit_code, child.signal) == (code, signal)
    assert (open_descriptors(), children()) == before


async def test_a_child_is_alone_in_its_session_with_three_descriptors() -> None:
    reading, writing = os.pipe()
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    output = bytearray()
    reader = Reader(reading, output.extend)
    child = await Child.start(launch("ls /dev/fd/ | wc -l; echo $$; ps -o sid= -p $$ || true", stdout=writing))
    os.close(writing)
    os.close(inherited)
    await asyncio.wait_for(reader.ended.wait(), 5)
    await child.reaped()
    count, pid, *session = output.decode().split()
    assert int(count) <= 4  # three, and the one that ls has on the directory
    assert session in ([], [pid])


async def test_a_program_that_is_not_there_is_an_error() -> None:
    before = open_descriptors()
    with pytest.raises(FileNotFoundError):
        await Child.start(Launch(arguments=["/nonexistent"], env={}, cwd="/"))
    assert open_descriptors() == before


async def test_waiting_for_one_that_does_not_end_is_bounded() -> None:
    nap = a_nap()
    child = await Child.start(launch(f"exec sleep {nap}"))
    await child.reaped(0.05)
    assert child.exit_code is None
    assert child.signal is None
    os.kill(child.root.pid, SIGKILL)
    await asyncio.wait_for(child.exited.wait(), 5)
    assert not psutil.pid_exists(child.root.pid)


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


async def test_a_start_that_is_cancelled_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spawned, may_return = asyncio.Event(), Event()
    loop, spawn = asyncio.get_running_loop(), child_module._spawn

    def slow(wanted: Launch) -> Any:
        result = spawn(wanted)
        loop.call_soon_threadsafe(spawned.set)
        may_return.wait(5)
        return result

    monkeypatch.setattr(child_module, "_spawn", slow)
    before = children()
    nap = a_nap()
    starting = asyncio.ensure_future(Child.start(launch(f"sleep {nap} & sleep {nap}")))
    await asyncio.wait_for(spawned.wait(), 5)
    starting.cancel()
    may_return.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(starting), 5)
    assert children() == before
    await until(lambda: not running(nap))


async def test_a_child_that_cannot_be_looked_at_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> process_tree.Root:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(process_tree.Root, "of", refused)
    before = open_descriptors(), children()
    with pytest.raises(OSError, match="Too many"):
        await Child.start(launch(f"sleep {a_nap()}"))
    assert (open_descriptors(), children()) == before
