"""What the core knows of itself, as gauges for `/metrics`."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from http_api.metrics import Gauge

if TYPE_CHECKING:
    from shared.gateway import Gateway


def gauges_of(gateway: "Gateway") -> Iterator[Gauge]:
    """The state of the gateway at this moment, from memory only."""
    totals = gateway.ledger.totals
    health = {name: float(gateway.providers.healthy(name)) for name in gateway.accounts_of_providers.names()}
    yield "gateway_up_seconds", "Seconds since this process opened the gateway.", {"": gateway.uptime_seconds}
    yield (
        "gateway_tasks",
        "Tasks of the event loop; requests, streams and terminals have some.",
        {"": float(len(asyncio.all_tasks()))},
    )
    yield "gateway_database_up", "Whether the database answered last.", {"": float(gateway.database.reachable)}
    yield (
        "gateway_database_writable",
        "Whether the database answered last, and took the last write.",
        {"": float(gateway.database.writable)},
    )
    yield (
        "gateway_unreadable_rows",
        "Rows of the database that this version cannot read and skips, by kind.",
        {kind: float(count) for kind, count in gateway.database.unreadable.counts.items()},
    )
    jobs = gateway.jobs.states.items()
    yield (
        "gateway_job_up",
        "Whether a background job runs.",
        {name: float(job.state != "restarting") for name, job in jobs},
    )
    yield (
        "gateway_job_restarts",
        "How often a background job was started again after a failure.",
        {name: float(job.restarts) for name, job in jobs},
    )
    yield (
        "gateway_refresh_behind_seconds",
        "Seconds since this process knew all changes of other processes.",
        {"": gateway.jobs.behind_seconds},
    )
    yield "gateway_provider_healthy", "Whether a provider's last probe or call succeeded.", health
    yield "gateway_models", "Models in the registry.", {"": float(len(gateway.registry.snapshot.models))}
    yield "gateway_terminal_sessions", "Terminal sessions that are open.", {"": float(len(gateway.terminals))}
    yield "gateway_attempts", "Models asked, by model.", dict(totals.by_model)
    yield "gateway_attempts_by_outcome", "Models asked, by how it ended.", dict(totals.by_outcome)
    yield (
        "gateway_tokens",
        "Tokens used since the start.",
        {"prompt": float(totals.prompt_tokens), "completion": float(totals.completion_tokens)},
    )
    yield "gateway_cost_usd", "Cost since the start, as far as prices are known.", {"": float(totals.cost)}
    cache = gateway.cache.counters
    yield (
        "gateway_cache",
        "What the cache of answers did since the start.",
        {"hits": float(cache.hits), "misses": float(cache.misses), "stored": float(cache.stored)},
    )
    yield "gateway_cache_saved_usd", "Cost of the answers that came from the cache.", {"": float(cache.saved)}
    yield "gateway_usage_rows_lost", "Usage rows that had no room in the queue.", {"": float(gateway.ledger.lost)}
