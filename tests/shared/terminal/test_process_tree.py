"""Finding and ending process trees."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import psutil
import pytest

from shared.terminal import process_tree
from tests.support.terminals import a_nap, running, until


@contextmanager
def started(command: str, marker: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {"PATH": os.environ["PATH"], process_tree.MARKER: marker}
    process = subprocess.Popen(["/bin/sh", "-c", command], env=environ, start_new_session=True, **options)
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


async def test_everything_of_a_command_ends_wherever_it_went() -> None:
    nap = a_nap()
    marker = f"{token_hex(8)}:1"
    command = f"setsid sleep {nap} & (setsid sleep {nap} & exit); (sleep {nap} & exec env -i sleep {nap}) & sleep {nap}"
    with started(command, marker) as process:
        await until(lambda: len(running(nap)) >= 5)
        assert await process_tree.end(marker, roots=[process_tree.Root.of(process.pid)])
        assert not running(nap)


async def test_signals_that_are_ignored_do_not_help() -> None:
    nap = a_nap()
    marker = f"{token_hex(8)}:1"
    with started(f"trap '' TERM HUP; while :; do sleep {nap}; done", marker) as process:
        await until(lambda: running(nap))
        assert await process_tree.end(marker)
        assert process.wait(5) == -9


async def test_a_moment_is_given_to_clean_up(tmp_path: object) -> None:
    marker = f"{token_hex(8)}:1"
    with started("trap 'exit 33' TERM; while :; do sleep 0.02; done", marker) as process:
        await until(lambda: process_tree.find(marker))
        await process_tree.end(marker)
        assert process.wait(5) in (33, -15)


async def test_a_stopped_process_ends_too() -> None:
    nap = a_nap()
    marker = f"{token_hex(8)}:1"
    with started(f"kill -STOP $$; sleep {nap}", marker) as process:
        await until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        assert await process_tree.end(marker)
        assert process.wait(5) < 0


async def test_other_commands_are_left_alone() -> None:
    nap = a_nap()
    other_nap = a_nap()
    session = token_hex(8)
    with started(f"sleep {nap}", f"{session}:1") as one, started(f"sleep {other_nap}", f"{session}:12") as two:
        await until(lambda: running(nap) and running(other_nap))
        await process_tree.end(f"{session}:1")
        assert one.wait(5) < 0
        assert two.poll() is None
        await process_tree.end(f"{session}:")
        assert two.wait(5) < 0


async def test_the_gateway_itself_is_never_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    with started("cat", marker := f"{token_hex(8)}:1", stdin=subprocess.PIPE) as process:
        root = process_tree.Root.of(process.pid)
        assert process.pid in [found.pid for found in process_tree.find(marker, [root])]
        monkeypatch.setattr(os, "getpid", lambda: process.pid)
        assert process.pid not in [found.pid for found in process_tree.find(marker, [root])]


@pytest.mark.skipif(sys.platform != "linux", reason="compares the two ways of looking, of which one is Linux's")
async def test_both_ways_of_looking_see_the_same() -> None:
    nap = a_nap()
    marker = f"{token_hex(8)}:1"
    with started(f"sleep {nap}", marker) as process:
        await until(lambda: process_tree._look(process.pid).marker)  # empty while it is starting the program
        for pid, expected in (
            (process.pid, (os.getpid(), process.pid, marker)),
            (os.getpid(), (os.getppid(), os.getsid(0), "")),
        ):
            for look in (process_tree._look(pid), process_tree._look_linux(pid)):
                assert (look.parent, look.session, look.marker) == expected


async def test_nothing_to_end_is_no_work() -> None:
    assert await process_tree.end(f"{token_hex(8)}:")


@contextmanager
def left_behind(nap: str) -> Iterator[process_tree.Root]:
    """A root that has ended and is reaped, and in its session a process without the marker and without its parent."""
    with started(f"read go; env -i sleep {nap} & exit", "x:1", stdin=subprocess.PIPE) as process:
        root = process_tree.Root.of(process.pid)
        process.communicate(b"go\n", timeout=5)
        yield root
        for process_left in running(nap):
            process_left.kill()


async def test_the_session_of_a_root_that_is_gone_ends_too() -> None:
    nap = a_nap()
    with left_behind(nap) as root:
        await until(lambda: running(nap))
        assert process_tree.unused([root]) == set()
        assert await process_tree.end(f"{token_hex(8)}:", roots=[root])
        assert not running(nap)
        await until(lambda: process_tree.unused([root]) == {root})


async def test_what_was_there_before_the_root_is_none_of_it() -> None:
    nap = a_nap()
    with left_behind(nap) as root:
        await until(lambda: running(nap))
        later = process_tree.Root(root.pid, root.created + 1000)
        assert process_tree.find("none", [later]) == []
        assert process_tree.unused([later]) == {later}
        assert [found.pid for found in process_tree.find("none", [root])] == [running(nap)[0].pid]


async def test_a_later_leader_with_the_same_number_is_none_of_it() -> None:
    with started("cat", "x:1", stdin=subprocess.PIPE) as process:
        root = process_tree.Root.of(process.pid)
        earlier = process_tree.Root(root.pid, root.created - 1000)
        assert process_tree.find("none", [earlier]) == []
        assert process_tree.unused([root, earlier]) == {earlier}


async def test_a_root_that_is_not_there_is_an_error() -> None:
    with started("true", "x:1") as process:
        process.wait(5)
        with pytest.raises((FileNotFoundError, ProcessLookupError)):
            process_tree.Root.of(process.pid)


async def test_the_event_loop_neither_looks_nor_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def noted(real: Any) -> Any:
        return lambda *given: threads.add(threading.get_ident()) or real(*given)

    for name in ("is_running", "status", "send_signal"):
        monkeypatch.setattr(psutil.Process, name, noted(getattr(psutil.Process, name)))
    marker = f"{token_hex(8)}:1"
    with started("trap '' TERM; echo ready; while :; do sleep 0.02; done", marker, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert await process_tree.end(marker)
    assert threads
    assert threading.get_ident() not in threads
