"""Measure the terminal against the shortest ways to the same thing, and write bench/terminal-results.md.

Everything runs on loopback, in interleaved rounds of one run, so that the ratios hold on any machine. About two minutes.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import FrameType

import terminal_references as references
import uvloop
from processes import Child, Cores, on_core
from terminal_crowds import many_at_once, one_after_the_other, use
from terminal_doors import (
    CALLER,
    Door,
    Live,
    ProcessDoor,
    RestDoor,
    at_prompt,
    execute,
    in_process,
    opened,
    over_http,
    serving,
)
from terminal_memory import watched
from terminal_report import Echo, Executed, Flood, Remote, Results, Round, rendered

from shared.terminal.flow import HOLD

COMMANDS = 40
REMOTE_COMMANDS = 25
PAUSE = 0.05
"""Seconds before a command on a host: what the one before it has begun for its own next one is then ready."""
KEYS = 100
MILLION = 1_000_000
LINE = b"0123456789 the quick brown fox jumps over the lazy dog, and the dog looks on....\n"


@dataclass(frozen=True, kw_only=True)
class Doors:
    """All that is measured."""

    folder: Path
    cores: Cores
    server: Child
    rest: RestDoor
    boxed: RestDoor
    process: ProcessDoor
    ssh: references.Ssh | str


async def measured(folder: Path, cores: Cores, options: argparse.Namespace) -> Results:
    """All in turn, round after round; then the crowds."""
    async with AsyncExitStack() as stack:
        server, port = stack.enter_context(serving(folder, cores.server, sandbox="off"))
        _, boxed_port = stack.enter_context(serving(folder, cores.server, sandbox="auto"))
        with on_core(cores.server):
            process = await stack.enter_async_context(in_process(folder))
            await use(process)  # what it starts once is then on that core too
        doors = Doors(
            folder=folder,
            cores=cores,
            server=server,
            rest=await stack.enter_async_context(over_http(port)),
            boxed=await stack.enter_async_context(over_http(boxed_port)),
            process=process,
            ssh=stack.enter_context(references.ssh(folder, cores.load)),
        )
        results = Results(cores=cores, ssh=doors.ssh if isinstance(doors.ssh, str) else None)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds} …")
            results.rounds.append(await round_of(doors, options.megabytes))
        say("200 sessions at once …")
        results.crowd = await many_at_once(port, server, 200, core=cores.server)
        say(f"{options.sessions} sessions opened, used and closed …")
        results.endured = await one_after_the_other(port, server, options.sessions)
    return results


async def round_of(doors: Doors, megabytes: int) -> Round:
    """Every figure once."""
    return Round(
        executed=await executed(doors),
        remote=None if isinstance(doors.ssh, str) else await remote(doors, doors.ssh),
        echo=await echo(doors),
        flood=await flood(doors, megabytes * MILLION),
    )


async def executed(doors: Doors) -> Executed:
    """Milliseconds for `true`, p50, by each way in turn; also what parts of it take alone."""
    rest, boxed, process = [await opened(door) for door in (doors.rest, doors.boxed, doors.process)]
    gateway = doors.process.gateway
    session = gateway.terminals.get(CALLER.id, process)
    command = gateway.terminals.command("true", timeout=None, max_output_bytes=None, stdin=None)
    seen: list[tuple[float, ...]] = []
    for _ in range(COMMANDS):
        over_rest, over_boxed = await taken(execute(doors.rest, rest)), await taken(execute(doors.boxed, boxed))
        with on_core(doors.cores.server):
            here = await taken(execute(doors.process, process))
            alone = await taken(session.execute(command))
            audit = await taken(gateway.audit.record(CALLER, "bench", {"command": "true"}, "ok"))
            shells = [references.run_shell(shell) * 1000 for shell in ("sh", "bash")]
            seen.append((over_rest, over_boxed, here, alone, audit, *shells))
    await closed((doors.rest, rest), (doors.boxed, boxed), (doors.process, process))
    return Executed(*map(median, zip(*seen, strict=True)))


async def remote(doors: Doors, ssh: references.Ssh) -> Remote:
    """Milliseconds for `true` on an open SSH session, p50, by each way in turn."""
    rest, process = [await opened(door, **ssh.target) for door in (doors.rest, doors.process)]
    seen: list[tuple[float, ...]] = []
    for _ in range(REMOTE_COMMANDS):
        await asyncio.sleep(PAUSE)
        over_rest = await taken(execute(doors.rest, rest))
        await asyncio.sleep(PAUSE)
        with on_core(doors.cores.server):
            within = await taken(execute(doors.process, process))
        await asyncio.sleep(PAUSE)
        with on_core(doors.cores.server):
            seen.append((over_rest, within, ssh.run() * 1000))
    await closed((doors.rest, rest), (doors.process, process))
    return Remote(*map(median, zip(*seen, strict=True)))


async def echo(doors: Doors) -> Echo:
    """Milliseconds from a keystroke at bash to its echo, p50, by each way in turn."""
    rest, process = await opened(doors.rest), await opened(doors.process)
    after, after_here = await at_prompt(doors.rest, rest), await at_prompt(doors.process, process)
    with on_core(doors.cores.server):
        plain = references.PlainShell(doors.folder)
    seen: list[tuple[float, ...]] = []
    try:
        async with doors.rest.live(rest, after) as live, doors.process.live(process, after_here) as live_here:
            for number in range(KEYS):
                letter = references.LETTERS[number % len(references.LETTERS)]
                if number % references.LINE_LENGTH == references.LINE_LENGTH - 1:
                    for one in (live, live_here):
                        await one.type(references.CLEAR_LINE)
                        await one.shown()
                    plain.clear()
                over_rest = await taken(_echoed(live, letter))
                with on_core(doors.cores.server):
                    seen.append((over_rest, await taken(_echoed(live_here, letter)), plain.echo(letter) * 1000))
    finally:
        plain.close()
    await closed((doors.rest, rest), (doors.process, process))
    return Echo(*map(median, zip(*seen, strict=True)))


async def _echoed(live: Live, letter: str) -> None:
    await live.type(letter)
    while letter not in (await live.shown())[1]:
        continue


async def flood(doors: Doors, size: int) -> Flood:
    """Bytes a second of a file through a terminal, and what the gateway's memory grew by meanwhile."""
    file = doors.folder / "flood.txt"
    lines = size // len(LINE)
    if not file.exists():
        file.write_bytes(LINE * lines)
    expected = lines * (len(LINE) + 1)  # a terminal makes a carriage return and a line feed of each line's end
    with watched(doors.server) as memory:
        over_rest = await shown_through(doors.rest, file, expected)
        live = await followed(doors.rest, file, expected)
    with on_core(doors.cores.server):
        here = await shown_through(doors.process, file, expected)
        plain = references.cat_through_terminal(file, expected)
    rate = expected / MILLION
    return Flood(rate / over_rest, rate / live[0], rate / here, rate / plain, live[1] / expected, memory.growth_mib)


async def shown_through(door: Door, file: Path, expected: int) -> float:
    """Seconds for the file through a session that nobody reads meanwhile. Raises RuntimeError if some is lost.

    Whoever has read a moment ago is waited for, up to HOLD; that is waited out here.
    """
    session = await opened(door)
    before = await at_prompt(door, session)
    await asyncio.sleep(HOLD)
    began = time.perf_counter()
    answer = await door.do("send", session, data=f"exec cat {file}\r", wait={"for": "exit", "timeoutMs": 60_000})
    took = time.perf_counter() - began
    if answer["reason"] != "exit" or answer["cursor"] - before < expected:
        raise RuntimeError(f"{answer['cursor'] - before} of {expected} came: {answer['reason']}")
    await closed((door, session))
    return took


async def followed(door: Door, file: Path, expected: int) -> tuple[float, int]:
    """The same with a live terminal that shows it; also how many characters that has missed."""
    session = await opened(door)
    before = cursor = await at_prompt(door, session)
    await asyncio.sleep(HOLD)
    seen = 0
    async with door.live(session, before) as live:
        began = time.perf_counter()
        await live.type(f"exec cat {file}\r")
        while (part := await live.shown())[1]:
            cursor, seen = part[0], seen + len(part[1])
        took = time.perf_counter() - began
    if cursor - before < expected:
        raise RuntimeError(f"{cursor - before} of {expected} came to the live terminal")
    await closed((door, session))
    return took, cursor - before - seen


async def taken(work: Awaitable[object]) -> float:
    """Milliseconds that it takes."""
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


async def closed(*sessions: tuple[Door, str]) -> None:
    """Close them."""
    for door, session in sessions:
        await door.do("close", session)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, show, and write it down."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    began = time.perf_counter()
    cores = Cores.found()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name, on_core(cores.load):
        results = uvloop.run(measured(Path(name), cores, options))
    results.took_seconds = time.perf_counter() - began
    text = rendered(results, options.megabytes)
    options.out.write_text(text, "utf-8")
    print(text)


def _leave(number: int, frame: FrameType | None) -> None:
    """A signal ends us as an exception does, so that every process is cleaned up."""
    sys.exit(128 + number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 21), metavar="N", help="default: 3")
    parser.add_argument("--megabytes", type=int, default=200, help="of output; default: 200")
    parser.add_argument("--sessions", type=int, default=1000, help="opened, used and closed; default: 1000")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("terminal-results.md"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
