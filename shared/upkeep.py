"""What goes on in the background for as long as a gateway is open."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from shared.domain.models import Model
from shared.errors import GatewayError, Unavailable
from shared.providers.base import Probe
from shared.providers.vendors import LOCAL
from shared.registry.discovered import as_models
from shared.security.audit import GATEWAY, PRUNED
from shared.storage import facts
from shared.structured import get_logger
from shared.supervision import Start

if TYPE_CHECKING:
    from shared.gateway import Gateway

log = get_logger(__name__)

REFRESH_SECONDS = 0.5
"""Between two looks where nothing tells of changes, and between two that notices cause."""
READ_SECONDS = 5.0
"""So often, at least, the versions in the database are read."""
FIRST_LOOK_SECONDS = 1.0
FORGET_SECONDS = 3600.0
SUM_UP_SECONDS = 300.0


async def look_for_local_servers(gateway: "Gateway") -> None:
    """Know before the first request who is there, since the embedded model would answer in their place."""
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await _take_up(gateway, LOCAL, await gateway.providers.probe(LOCAL))


def begin(gateway: "Gateway") -> Callable[[], Awaitable[None]]:
    """Start everything under the supervision of `gateway.jobs`; returns what ends it."""
    jobs: dict[str, Start] = {
        "refresh": lambda: _refresh(gateway),
        "changes": gateway.changes.run,
        "ledger": gateway.ledger.run,
        "decisions": gateway.decisions.run,
        "audit": gateway.audit.run,
        "retention": lambda: _forget(gateway),
        "usage": lambda: _sum_up(gateway),
        "probes": lambda: gateway.providers.run(lambda name, probe: _take_up(gateway, name, probe)),
        "prices": lambda: _look_prices_up(gateway),
        "learning": gateway.learning.run,
        "nodes": gateway.nodes.run,
        "reach": gateway.reach.run,
    }
    if gateway.redis is not None:
        jobs["redis"] = gateway.redis.watch
        jobs["streams"] = gateway.chat_limits.streams.run
    if (sharing := gateway.budgets.sharing) is not None:
        jobs["budgets"] = sharing.outage.run
    if gateway.telemetry is not None:
        jobs["telemetry"] = gateway.telemetry.run
    tasks = [asyncio.create_task(gateway.jobs.run(name, start)) for name, start in jobs.items()]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gateway.changes.close()
        with suppress(Unavailable):  # only when keys were last used is lost then
            await gateway.api_keys.flush()

    return end


async def _refresh(gateway: "Gateway") -> None:
    """Take over what other processes changed, and end what ran for callers who are gone since, for ever.

    One part that fails does not hold up the others, and is tried again. Where the database tells of changes it is read
    after those, and every few seconds as a safety net; elsewhere it is asked twice a second.
    """
    stored: tuple[Callable[[], Awaitable[None]], ...] = (
        gateway.accounts.refresh,
        gateway.api_keys.refresh,
        gateway.registry.refresh,
        gateway.aliases.refresh,
        gateway.configuration.refresh,
        gateway.policy.refresh,
        gateway.accounts_of_providers.refresh,
        gateway.budgets.take_over,
    )
    others: tuple[Callable[[], Awaitable[None]], ...] = (
        gateway.api_keys.tidy,
        gateway.budgets.keep_count,
        gateway.policy.refresh_file,
        gateway.nodes.refresh,
        gateway.departures.look,
    )
    seen: Mapping[str, Any] | None = None
    read_at = float("-inf")
    while True:
        well = seen is not None and gateway.database.writable
        longest = min(READ_SECONDS, gateway.api_keys.seconds_to_next_end) if well else REFRESH_SECONDS
        await gateway.changes.wait(longest=longest, poll=REFRESH_SECONDS)
        gateway.jobs.refreshing()
        now = time.monotonic()
        if gateway.database.may_have_changed() or seen is None or now - read_at >= READ_SECONDS:
            seen, read_at = await _taken_over(gateway, stored, seen), now
        if seen is not None:
            gateway.jobs.refreshed()
        if gateway.database.reachable and not gateway.database.writable:
            await gateway.database.try_writing()
        await _done(others)


async def _taken_over(
    gateway: "Gateway", stored: tuple[Callable[[], Awaitable[None]], ...], seen: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """The versions that this process is at now; None when something could not be read."""
    try:
        versions = await gateway.database.read(facts.versions)
    except GatewayError as error:
        log.warning("going on with what is in memory", reason=error.message, detail=error.operator_detail)
        return None
    return versions if versions == seen or await _done(stored) else None


async def _done(parts: tuple[Callable[[], Awaitable[None]], ...]) -> bool:
    """Do each of the parts, whatever becomes of the others; False when one failed."""
    well = True
    for part in parts:
        (error,) = await asyncio.gather(part(), return_exceptions=True)
        if isinstance(error, GatewayError):
            log.warning("going on with what is in memory", reason=error.message, detail=error.operator_detail)
        elif error is not None:
            log.error("a part of the refresh failed; going on with what is in memory", exc_info=error)
        well = well and error is None
    return well


async def _forget(gateway: "Gateway") -> None:
    """Delete rows and recordings that are older than they may be, for ever."""
    while True:
        try:
            deleted = await gateway.retention.prune()
        except Unavailable as error:
            log.warning("old rows are deleted when the database is back", reason=error.operator_detail)
        else:
            if entries := deleted.get("audit"):
                gateway.audit.note(GATEWAY, PRUNED, "ok", details=partial(dict, entries=entries))
        try:
            await gateway.terminals.recordings.prune()
        except OSError as error:
            log.warning("old recordings cannot be deleted", reason=error.strerror)
        await asyncio.sleep(FORGET_SECONDS)


async def _sum_up(gateway: "Gateway") -> None:
    """Take over the usage of processes that were killed, and sum up that of past hours, for ever."""
    while True:
        try:
            await gateway.ledger.take_over()
            await gateway.ledger.sum_up()
        except Unavailable as error:
            log.warning("usage is summed up when the database is back", reason=error.operator_detail)
        await asyncio.sleep(SUM_UP_SECONDS)


async def _take_up(gateway: "Gateway", name: str, probe: Probe) -> None:
    """Put the models that a local server offers into the registry."""
    account = gateway.providers.account(name)
    if account is None or account.dialect != "local" or not probe.models:
        return
    try:
        await gateway.registry.add_discovered(as_models(name, probe.models, int(gateway.clock().timestamp())))
    except Unavailable as error:
        log.warning("discovered models wait for the database", reason=error.operator_detail)


async def _look_prices_up(gateway: "Gateway") -> None:
    """At first, and after each change of the registry: a look into the public price list takes a moment, which no
    request should wait for.
    """
    changed = asyncio.Event()
    forget = gateway.registry.on_change(changed.set)
    try:
        while True:
            changed.clear()
            models: tuple[Model, ...] = tuple(gateway.registry.snapshot.models.values())
            await anyio.to_thread.run_sync(gateway.prices.look_up, models)
            await changed.wait()
    finally:
        forget()
