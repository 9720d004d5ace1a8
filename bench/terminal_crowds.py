"""Many sessions: at once, and one after the other; and what they leave behind in the gateway's process."""

import asyncio
import subprocess
import time
from dataclasses import dataclass
from statistics import median, quantiles

from processes import MIB, Child, on_core
from terminal_doors import Door, at_prompt, execute, opened, over_http

WARM_UP = 100
AT_ONCE = 16
SETTLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the gateway holds: its own resident MiB and descriptors, and how many processes descend from it."""

    rss_mib: float
    descriptors: int
    children: int

    @classmethod
    def of(cls, server: Child) -> "Footprint":
        """Now."""
        process, *children = server.tree
        return cls(process.memory_info().rss / MIB, process.num_fds(), len(children))

    def nothing_over(self, other: "Footprint") -> bool:
        """Whether neither a descriptor nor a process is there that was not before."""
        return self.descriptors <= other.descriptors and self.children <= other.children


@dataclass(frozen=True, slots=True)
class Crowd:
    """Sessions that are open at the same time, each with a shell at its prompt."""

    sessions: int
    open_seconds: float
    execute_seconds: float
    execute_ms: tuple[float, float]
    reference_seconds: float
    before: Footprint
    during: Footprint
    after: Footprint


@dataclass(frozen=True, slots=True)
class Endured:
    """Sessions opened, used and closed."""

    sessions: int
    seconds: float
    before: Footprint
    after: Footprint


async def many_at_once(port: int, server: Child, number: int, *, core: int | None) -> Crowd:
    """Open them all, run a command in each at the same moment, and close them. Raises RuntimeError for any that fails."""
    async with over_http(port) as door:
        await _used(door, WARM_UP)
    before = await _settled(server, Footprint.of(server))
    async with over_http(port) as door:
        began = time.perf_counter()
        sessions = await asyncio.gather(*(_with_shell(door) for _ in range(number)))
        opening = time.perf_counter() - began
        during = Footprint.of(server)
        began = time.perf_counter()
        times = await asyncio.gather(*(_timed(door, session) for session in sessions))
        executing = time.perf_counter() - began
        with on_core(core):
            reference = _bare(number)
        await asyncio.gather(*(door.do("close", session) for session in sessions))
    spread = median(times) * 1000, quantiles(times, n=100)[98] * 1000
    return Crowd(number, opening, executing, spread, reference, before, during, await _settled(server, before))


async def one_after_the_other(port: int, server: Child, number: int) -> Endured:
    """A few at a time, after some that nobody counts. Raises RuntimeError for any that fails."""
    async with over_http(port) as door:
        await _used(door, WARM_UP)
    before = await _settled(server, Footprint.of(server))
    began = time.perf_counter()
    async with over_http(port) as door:
        await _used(door, number)
    seconds = time.perf_counter() - began
    return Endured(number, seconds, before, await _settled(server, before))


async def _used(door: Door, number: int) -> None:
    for start in range(0, number, AT_ONCE):
        await asyncio.gather(*(use(door) for _ in range(min(AT_ONCE, number - start))))


async def use(door: Door) -> None:
    """A command, and a line for the shell whose answer is read."""
    session = await opened(door)
    await execute(door, session)
    await door.do("send", session, data="echo $((6*7))-\r", wait={"for": "output", "pattern": "42-"})
    shown = await door.do("read", session)
    if "42-" not in "".join(shown["output"]):
        raise RuntimeError(f"the shell did not answer: {shown}")
    await door.do("close", session)


async def _with_shell(door: Door) -> str:
    session = await opened(door)
    await at_prompt(door, session)
    return session


async def _timed(door: Door, session: str) -> float:
    began = time.perf_counter()
    await execute(door, session)
    return time.perf_counter() - began


def _bare(number: int) -> float:
    """Seconds for as many `sh -c true`, one started after the other without waiting for any."""
    began = time.perf_counter()
    started = [subprocess.Popen(["sh", "-c", "true"]) for _ in range(number)]
    for process in started:
        process.wait()
    return time.perf_counter() - began


async def _settled(server: Child, before: Footprint) -> Footprint:
    """What is held once it is no more than before, or the time for that is up."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    await asyncio.sleep(0.6)  # rows that are written in batches
    while not (now := Footprint.of(server)).nothing_over(before) and time.perf_counter() < deadline:
        await asyncio.sleep(0.1)
    return now
