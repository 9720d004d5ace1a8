"""One warden, command after command."""

import asyncio
import os

from shared.terminal.child import Child, Launch, Reader
from shared.terminal.keeper.warden import REPORT
from shared.terminal.keepers import Keeper


async def said(keeper: Keeper, command: str, *, report: int | None = None) -> str:
    reading, writing = os.pipe()
    output = bytearray()
    reader = Reader(reading, output.extend)
    descriptors = (-1, writing, -1) if report is None else (-1, writing, -1, report)
    launch = Launch(
        arguments=["/bin/sh", "-c", command], env={"PATH": os.environ["PATH"]}, cwd="/usr", descriptors=descriptors
    )
    child = await Child.start(keeper, launch)
    os.close(writing)
    await asyncio.wait_for(reader.ended.wait(), 5)
    assert await asyncio.wait_for(child.gone.wait(), 5)
    return output.decode()


async def test_the_pipe_for_the_state_is_the_shells_own() -> None:
    keeper = await Keeper.start([], {})
    reading, writing = os.pipe()
    look = f"(: >&{REPORT}) 2>/dev/null && echo has it || echo has none"
    assert await said(keeper, f"echo state >&{REPORT}; eval '{look}' {REPORT}>&-; {look}", report=writing) == (
        "has none\nhas it\n"
    )
    assert os.read(reading, 100) == b"state\n"
    assert await said(keeper, look) == "has none\n"
    os.close(writing)
    assert os.read(reading, 1) == b""  # nobody else has it
    os.close(reading)
    await keeper.aclose()


async def test_wardens_are_used_again_and_begin_anew() -> None:
    keeper = await Keeper.start([], {})
    seen = {await said(keeper, "echo $PPID; pwd; ulimit -c") for _ in range(12)}
    assert len(seen) < 12
    assert {tuple(one.split()[1:]) for one in seen} == {("/usr", "0")}
    await keeper.aclose()
