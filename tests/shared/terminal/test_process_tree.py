"""Finding and ending process trees."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

import psutil
import pytest

from shared.terminal import process_tree
from tests.support.terminals import running, until


@contextmanager
def started(command: str, marker: str) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {"PATH": os.environ["PATH"], process_tree.MARKER: marker}
    process = subprocess.Popen(["/bin/sh", "-c", command], env=environ, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_everything_of_a_command_ends_wherever_it_went() -> None:
    marker = f"{token_hex(8)}:1"
    command = "setsid sleep 41111 & (setsid sleep 41111 & exit); (sleep 41111 & exec env -i sleep 41111) & sleep 41111"
    with started(command, marker) as process:
        await until(lambda: len(running("41111")) >= 5)
        assert await process_tree.end(marker, root=psutil.Process(process.pid))
        assert not running("41111")


async def test_signals_that_are_ignored_do_not_help() -> None:
    marker = f"{token_hex(8)}:1"
    with started("trap '' TERM HUP; while :; do sleep 42222; done", marker) as process:
        await until(lambda: running("42222"))
        assert await process_tree.end(marker)
        assert process.wait(5) == -9


async def test_a_moment_is_given_to_clean_up(tmp_path: object) -> None:
    marker = f"{token_hex(8)}:1"
    with started("trap 'exit 33' TERM; while :; do sleep 0.02; done", marker) as process:
        await until(lambda: process_tree.find(marker))
        await process_tree.end(marker)
        assert process.wait(5) in (33, -15)


async def test_a_stopped_process_ends_too() -> None:
    marker = f"{token_hex(8)}:1"
    with started("kill -STOP $$; sleep 43333", marker) as process:
        await until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        assert await process_tree.end(marker)
        assert process.wait(5) < 0


async def test_other_commands_are_left_alone() -> None:
    session = token_hex(8)
    with started("sleep 44444", f"{session}:1") as one, started("sleep 44445", f"{session}:12") as two:
        await until(lambda: running("44444") and running("44445"))
        await process_tree.end(f"{session}:1")
        assert one.wait(5) < 0
        assert two.poll() is None
        await process_tree.end(f"{session}:")
        assert two.wait(5) < 0


async def test_the_gateway_itself_is_never_a_member() -> None:
    assert os.getpid() not in [found.pid for found in process_tree.find("x:", psutil.Process())]


@pytest.mark.skipif(sys.platform != "linux", reason="compares the two ways of looking, of which one is Linux's")
async def test_both_ways_of_looking_see_the_same() -> None:
    marker = f"{token_hex(8)}:1"
    with started("sleep 45555", marker) as process:
        await until(lambda: process_tree._look(process.pid)[1])  # empty while it is starting the program
        assert process_tree._look(process.pid) == process_tree._look_linux(process.pid) == (os.getpid(), marker)
        assert process_tree._look(os.getpid()) == process_tree._look_linux(os.getpid()) == (os.getppid(), "")


async def test_nothing_to_end_is_no_work() -> None:
    assert await process_tree.end(f"{token_hex(8)}:")
