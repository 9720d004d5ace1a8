"""Finding and signalling what descends from a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGKILL

import pytest

from shared.terminal.keeper import processes
from tests.support.terminals import a_nap, running_programs, until


@contextmanager
def family() -> Iterator[tuple[int, str]]:
    """A shell with two children."""
    nap = a_nap()
    shell = subprocess.Popen(["/bin/sh", "-c", f"sleep {nap} & sleep {nap}; true"])
    try:
        yield shell.pid, nap
    finally:
        for sleeper in running_programs(nap, "sleep"):
            sleeper.kill()
        shell.kill()
        shell.wait()


async def test_descendants_are_found_with_their_parents_and_spared_with_all_below() -> None:
    with family() as (shell, nap):
        await until(lambda: len(running_programs(nap, "sleep")) == 2)
        expected = {found.pid: shell for found in running_programs(nap, "sleep")} | {shell: os.getpid()}
        assert processes.descendants().items() >= expected.items()
        assert not processes.descendants(spared=[shell]).keys() & expected.keys()


async def test_only_who_is_still_who_it_was_is_signalled() -> None:
    with family() as (shell, nap):
        await until(lambda: len(running_programs(nap, "sleep")) == 2)
        first, second = running_programs(nap, "sleep")
        processes.signal_all(
            {first.pid: 1, 10**7: shell}, SIGKILL
        )  # the number of another one's child, and of nobody's
        processes.signal_all({second.pid: shell}, SIGKILL)
        await until(lambda: len(running_programs(nap, "sleep")) == 1)
        assert running_programs(nap, "sleep") == [first]


@pytest.mark.skipif(sys.platform != "linux", reason="compares the two ways of looking, of which one is Linux's")
async def test_both_ways_of_looking_see_the_same() -> None:
    with family() as (shell, nap):
        await until(lambda: len(running_programs(nap, "sleep")) == 2)
        wanted = {found.pid for found in running_programs(nap, "sleep")} | {shell}
        linux = {pid: parent for pid, parent in processes._table_linux() if pid in wanted}
        assert linux == {pid: parent for pid, parent in processes._table_ps() if pid in wanted}
