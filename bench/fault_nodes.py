"""Faults of the gateway's own processes."""

import asyncio

from fault_stand import Stand


async def node_killed(stand: Stand) -> None:
    """A node is killed (SIGKILL) in the middle of its work, and started again two seconds later; then the other one."""
    for node in stand.nodes[:2]:
        await stand.kill(node)
        await asyncio.sleep(2)
        await stand.start(node)
