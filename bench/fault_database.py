"""Faults of the database."""

import asyncio

from fault_stand import Stand


async def commit_answer_lost(stand: Stand) -> None:
    """For five seconds every second COMMIT is done and its answer is lost, with the connection."""
    stand.proxy.lose_every = 2
    await asyncio.sleep(5)
    stand.proxy.lose_every = 0
    if not stand.proxy.lost:
        raise RuntimeError("no COMMIT went through the proxy")


async def read_only(stand: Stand) -> None:
    """PostgreSQL takes no writes for five seconds, as during a fail-over or with a full disk."""
    await asyncio.to_thread(stand.postgres.set_read_only, True)
    await asyncio.sleep(5)
    await asyncio.to_thread(stand.postgres.set_read_only, False)


async def restart(stand: Stand) -> None:
    """PostgreSQL is restarted, and is away for three seconds."""
    await asyncio.to_thread(stand.postgres.stop)
    await asyncio.sleep(3)
    await asyncio.to_thread(stand.postgres.start)
