"""What 50,000 requests, 5,000 streams with clients that leave, and 1,000 terminal sessions leave behind in a gateway.

One gateway with everything on. A small part of each comes first and is not counted: what is loaded and cached on first
use is there then. About five minutes; writes soak-results.md, and its figures go into results.md.
"""

import argparse
import asyncio
import os
import platform
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import aiohttp
import figures
import load
from load_soak import Footprint, settled
from processes import Cores, on_core
from targets import MANY_TERMINALS, Target, stage
from terminal_crowds import one_after_the_other

HERE = Path(__file__).parent
CONNECTIONS = 64
CHATS_AT_ONCE = 6400
AT_ONCE = 250
WRITTEN_SECONDS = 2.0
STREAM_SECONDS = 2.0
ABORTS = 0.1
WARM = 0.1
"""The share of each that comes first."""


def chats(target: Target, count: int) -> str:
    """Whole chats; what was done."""
    served = 0
    while served < count:
        each = max(1, min(CHATS_AT_ONCE, count - served) // CONNECTIONS)
        sample = load.run(target.port, target.chat(), load.fault_of_chat, connections=CONNECTIONS, each=each)
        if sample.faults:
            raise RuntimeError(f"wrong answers: {dict(sample.faults)}\n{target.child.log()}")
        served += sample.served
    return f"{served:,} chats"


def streams(target: Target, count: int) -> str:
    """Streams, some of whose clients leave in the middle; what was done."""
    whole, left = asyncio.run(_streams(target, count))
    return f"{whole + left:,} streams, {left:,} of them left by their client"


async def _streams(target: Target, count: int) -> tuple[int, int]:
    payload = {"model": "mock-paced", "stream": True, "messages": [{"role": "user", "content": "Go on."}]}
    numbers = iter(range(count))
    ended = [0, 0]

    async def client(http: aiohttp.ClientSession) -> None:
        for _ in numbers:
            leaves = random.random() < ABORTS
            try:
                async with asyncio.timeout(random.uniform(0, STREAM_SECONDS) if leaves else 60):
                    async with http.post(f"http://127.0.0.1:{target.port}/v1/chat/completions", json=payload) as answer:
                        body = await answer.read()
            except TimeoutError:
                if not leaves:
                    raise
                ended[1] += 1
                continue
            if answer.status != 200 or load.DONE not in body:
                raise RuntimeError(f"{answer.status}: {body[-200:]!r}")
            ended[0] += 1

    connector, headers = aiohttp.TCPConnector(limit=0), {"Authorization": f"Bearer {target.key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(client(http))
    return ended[0], ended[1]


def terminals(target: Target, count: int) -> str:
    """Terminal sessions, opened, used and closed; what was done."""
    asyncio.run(one_after_the_other(target.port, target.child, count))
    return f"{count:,} terminal sessions, opened, used and closed"


STAGES: tuple[tuple[Callable[[Target, int], str], int], ...] = ((chats, 50_000), (streams, 5_000), (terminals, 1_000))


def table(footprints: dict[str, Footprint]) -> str:
    """What was held, a line for each thing and a column for each moment."""
    names = {
        "rss_mib": "memory (RSS), MiB",
        "descriptors": "descriptors",
        "tasks": "tasks",
        "children": "child processes",
        "sessions": "terminal sessions",
        "requests": "requests being answered",
    }
    lines = [f"| | {' | '.join(footprints)} |", "|---" * (len(footprints) + 1) + "|"]
    for name, label in names.items():
        values = [getattr(found, name) for found in footprints.values()]
        cells = [f"{value:.1f}" if isinstance(value, float) else f"{value}" for value in values]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run(share: float) -> dict[str, Footprint]:
    """All stages in one gateway; what it held after each."""
    cores = Cores.found()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        on_core(cores.load),
        stage(Path(folder), cores) as on,
    ):
        target = on.gateway(fill=None, **MANY_TERMINALS)
        found = {"ready": Footprint.of(target.child, target.port)}
        for work, count in STAGES:
            work(target, int(count * share * WARM))
        before = found["a tenth of it"] = settled(target.child, target.port, None, 0)
        for work, count in STAGES:
            what = work(target, int(count * share))
            print(what, file=sys.stderr, flush=True)
            time.sleep(WRITTEN_SECONDS)
            found[f"after {what}"] = Footprint.of(target.child, target.port)
        found["a minute later at most"] = settled(target.child, target.port, before, 5)
        return found


def figures_of(found: dict[str, Footprint]) -> dict[str, object]:
    """For results.md."""
    ready, before, *_, after = found.values()
    chats_only = list(found.values())[2]
    return {
        "table": table(found),
        "ready_mib": round(ready.rss_mib, 1),
        "chats_percent": round((chats_only.rss_mib / before.rss_mib - 1) * 100, 1),
        "percent": round((after.rss_mib / before.rss_mib - 1) * 100, 1),
        "left": ", ".join(after.over(before, 5)) or "nothing",
        "counts": asdict(after),
    }


def main() -> None:
    """Run, show, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the whole work; less than 1 writes nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = run(options.share)
    numbers = figures_of(found)
    text = "\n".join(
        [
            "# What is left behind",
            "",
            "Written by `make bench-soak`; [README.md](README.md) says how. The gateway's own process, and how many others it has.",
            "",
            table(found),
            "",
            f"More than after the first tenth: {numbers['left']}.",
            "",
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load average at the end: "
            + ", ".join(f"{value:.1f}" for value in os.getloadavg()),
            "",
        ]
    )
    if options.share >= 1:
        (HERE / "soak-results.md").write_text(text, "utf-8")
        figures.keep("soak", numbers)
    print(text)


if __name__ == "__main__":
    main()
