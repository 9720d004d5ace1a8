"""Faults of Redis, by which the nodes count budgets together."""

import asyncio

from fault_stand import Stand

AWAY_SECONDS = 8.0


async def redis_dead(stand: Stand) -> None:
    """Redis is killed (SIGKILL) for eight seconds and comes back empty; a third of the requests has a budget."""
    stand.redis.kill()
    await asyncio.sleep(AWAY_SECONDS)
    stand.redis.start()
