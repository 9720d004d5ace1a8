"""The keeper when it cannot have another process."""

import pytest

from shared.terminal import keepers
from shared.terminal.child import Child, Launch
from shared.terminal.keepers import Keeper
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
