"""Faults under load, with a real PostgreSQL and a real Redis: what is lost, doubled, overspent and cut by each.

`make faults` runs all of them, `make faults FAULTS="restart read-only"` some, `--list` names them. A fault is an async
function of the stand and a line in FAULTS; its docstring says what happens. It begins when a third of the requests are
sent, and the load goes on until it is over and all requests are sent.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field

import aiohttp
from fault_balancer import balanced, rolling_restart
from fault_count import Outcome, counted, settled
from fault_database import commit_answer_lost, read_only, restart
from fault_load import Load
from fault_nodes import node_killed
from fault_redis import redis_dead
from fault_stand import PRICE, STREAM, Stand, standing
from fault_upgrade import older_code, upgrade
from processes import Child

REQUEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what makes it happen, the settings and number of nodes that it needs, the model that streams, what stands
    before the nodes, and the settings with which they begin.
    """

    happen: Callable[[Stand], Awaitable[None]]
    nodes: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    stream: str = STREAM
    balancer: Callable[[Stand], Awaitable[Child]] | None = None
    begin: Callable[[], dict[str, str]] = dict


FAULTS = {
    "commit-answer-lost": Fault(commit_answer_lost),
    "read-only": Fault(read_only),
    "restart": Fault(restart),
    "node-killed": Fault(node_killed),
    "redis-dead": Fault(redis_dead, nodes=3),
    "rolling-restart": Fault(rolling_restart, stream="scripted-n20-itl500", balancer=balanced),
    "upgrade": Fault(upgrade, begin=older_code),
}


async def tried(fault: Fault, requests: int) -> Outcome:
    """Let it happen under load, and count."""
    budget = round(requests / 3 * PRICE / 2, 6)  # a third of the requests is bounded, and half of those are paid for
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    settings = fault.settings | fault.begin()
    async with AsyncExitStack() as stack:
        stand = await stack.enter_async_context(standing(fault.nodes, budget, stream=fault.stream, **settings))
        if fault.balancer is not None:
            stack.callback((await fault.balancer(stand)).stop)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        load = Load(stand, http)
        running = asyncio.create_task(load.run())
        try:
            await load.reached(requests // 3)
            await fault.happen(stand)
            await load.reached(requests)
        finally:
            load.stopping.set()
            await running
        await settled(stand)
        return await counted(stand, load.sent, budget, http)


HEAD = "| fault | sent | answered | refused | failed | lost | doubled | overspent $ | cut | audit lost/doubled | keys lost/left |"


def row(name: str, found: Outcome) -> str:
    """A line of the table."""
    failed = ", ".join(f"{count} × {kind}" for kind, count in sorted(found.failed.items())) or "0"
    chain = "" if found.chain else " (chain broken)"
    return (
        f"| {name} | {found.sent} | {found.answered} | {found.refused} | {failed} | **{found.lost}** | **{found.doubled}** "
        f"| **{found.overspent:g}** | **{found.cut}** | {found.audit_lost}/{found.audit_doubled}{chain} "
        f"| {found.keys_lost}/{found.keys_left} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run them one after another, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="those to run; all by default")
    parser.add_argument("--requests", type=int, default=600, help="to send at least, for each fault; default: 600")
    parser.add_argument("--json", action="store_true", help="print each count as a line of JSON instead")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in FAULTS]:
        parser.error(f"unknown fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    if options.list:
        for name, fault in FAULTS.items():
            print(f"{name:22} {fault.happen.__doc__}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not options.json:
        print(HEAD)
        print("|---" * (HEAD.count("|") - 1) + "|", flush=True)
    for name in options.names or FAULTS:
        found = asyncio.run(tried(FAULTS[name], options.requests))
        print(json.dumps({"fault": name, **asdict(found)}) if options.json else row(name, found), flush=True)


if __name__ == "__main__":
    main()
