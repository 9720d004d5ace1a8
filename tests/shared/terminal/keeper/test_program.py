"""The keeper when it cannot have another process."""

import asyncio
import os
from signal import SIGCONT, SIGSTOP

import psutil
import pytest

from shared.terminal import keepers
from shared.terminal.child import Child, Launch
from shared.terminal.keeper.warden import MOST_IDLE
from shared.terminal.keepers import Keeper, Keepers, View
from shared.terminal.sandbox import Sandbox
from tests.support.terminals import open_descriptors, until

FULL = "import os, errno; from shared.terminal.keeper import program\ndef full(): raise OSError(errno.EAGAIN, 'full')\nos.fork = full\n"


async def test_a_command_for_which_there_is_no_process_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _, rest = keepers.BOOT.partition("; from")
    monkeypatch.setattr(keepers, "BOOT", f"{first}\n{FULL}from{rest}")
    keeper = await Keeper.start([], {})
    before = open_descriptors()
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            await Child.start(keeper, Launch(arguments=["/bin/true"], env={}, cwd="/", descriptors=(-1, -1, -1)))
    assert keeper.alive
    assert open_descriptors() == before
    await keeper.aclose()


async def test_a_keeper_that_cannot_begin_says_why() -> None:
    keeper = await Keeper.start([], {"files": {"writable": [], "hidden": []}})
    await until(lambda: not keeper.alive)
    assert "strict" in keeper.said
    await keeper.aclose()


def wardens(keeper: Keeper) -> int:
    """How many processes it has for commands."""
    return len(psutil.Process(keeper._process.pid).children())


async def test_a_rush_of_commands_leaves_only_a_few_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, rest = keepers.BOOT.partition("; from")
    soon = "from shared.terminal.keeper import warden\nwarden.PATIENT_SECONDS = warden.struct.pack('@ll', 0, 200000)\n"
    monkeypatch.setattr(keepers, "BOOT", f"{first}\n{soon}from{rest}")
    keeper = await Keeper.start([], {})
    reading, writing = os.pipe()
    launch = Launch(arguments=["/bin/cat"], env={}, cwd="/", descriptors=(reading, -1, -1))
    children = await asyncio.gather(*(Child.start(keeper, launch) for _ in range(30)))
    assert wardens(keeper) >= 30
    os.kill(keeper._process.pid, SIGSTOP)  # so that it cannot tell how many wait, as when it is late
    os.close(writing)  # the end of all of them in the same moment
    await asyncio.gather(*(child.gone.wait() for child in children))
    os.kill(keeper._process.pid, SIGCONT)
    os.close(reading)
    await until(lambda: wardens(keeper) <= MOST_IDLE)
    again = await Child.start(keeper, Launch(arguments=["/bin/true"], env={}, cwd="/", descriptors=(-1, -1, -1)))
    await asyncio.wait_for(again.gone.wait(), 5)
    assert again.exit_code == 0
    await keeper.aclose()


async def test_a_view_that_nothing_runs_in_is_closed_after_a_while_and_opened_again() -> None:
    kept = Keepers(Sandbox(), unused_seconds=0.05)
    view = View((), "")
    stay = Launch(arguments=["/bin/sleep", "300"], env={}, cwd="/", descriptors=(-1, -1, -1))
    child = await kept.child(view, stay)
    short = Launch(arguments=["/bin/true"], env={}, cwd="/", descriptors=(-1, -1, -1))
    await kept.child(View((), "other"), short)
    await until(lambda: len(kept) == 1)
    assert not child.gone.is_set()
    assert await child.end()
    await until(lambda: len(kept) == 0)
    assert await (await kept.child(view, short)).exited.wait()
    await kept.aclose()
