"""What the core measures of itself, from memory only."""

import asyncio
import platform
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import psutil

from shared.domain.measures import TOKENS, Family, counter, gauge, histogram
from shared.usage.totals import ModelTotals

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST_BUDGETS = 100
"""Budgets that are shown, those with the least left in proportion."""
MODEL = ("provider", "model")
GEN_AI = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")
BUDGET = ("budget", "applies_to", "period")


def families_of(gateway: "Gateway") -> list[Family]:
    """Everything that the core measures now."""
    return [
        *_process(gateway),
        *_stores(gateway),
        *_background(gateway),
        *_models(gateway),
        *_chats(gateway),
        *_money(gateway),
    ]


def genai_families(gateway: "Gateway") -> list[Family]:
    """What OpenTelemetry's GenAI conventions have names for. Calls that failed are among the durations."""
    found = dict(sorted(gateway.ledger.totals.models.items()))
    tokens = {}
    for key, totals in found.items():
        tokens[("chat", *key, "input")] = totals.prompt
        tokens[("chat", *key, "output")] = totals.completion
    seconds = {("chat", *key): totals.seconds for key, totals in found.items()}
    first = {("chat", *key): totals.first_token for key, totals in found.items()}
    return [
        histogram("gen_ai.client.operation.duration", "GenAI operation duration.", seconds, GEN_AI),
        histogram("gen_ai.client.operation.time_to_first_chunk", "Time to receive the first chunk.", first, GEN_AI),
        histogram(
            "gen_ai.client.token.usage",
            "Number of input and output tokens used.",
            tokens,
            (*GEN_AI, "gen_ai.token.type"),
            TOKENS,
        ),
    ]


def _process(gateway: "Gateway") -> list[Family]:
    process = psutil.Process()
    with process.oneshot():
        cpu, memory, created = process.cpu_times(), process.memory_info().rss, process.create_time()
    build = (gateway.version, platform.python_version())
    return [
        gauge("gateway_build_info", "Version of the gateway and of Python.", {build: 1}, ("version", "python")),
        gauge(
            "gateway_sandbox_info",
            "What holds local commands: bwrap, landlock, or none.",
            {gateway.sandbox.kind: 1},
            ("kind",),
        ),
        counter("process_cpu_seconds_total", "CPU time of the process.", cpu.user + cpu.system),
        gauge("process_resident_memory_bytes", "Resident memory of the process.", memory),
        gauge("process_start_time_seconds", "Start of the process, in seconds since 1970.", created),
        gauge("gateway_up_seconds", "Seconds since this process opened the gateway.", gateway.uptime_seconds),
        gauge(
            "gateway_tasks",
            "Tasks of the event loop; requests, streams and terminals have some.",
            len(asyncio.all_tasks()),
        ),
        gauge("gateway_terminal_sessions", "Terminal sessions that are open.", len(gateway.terminals)),
    ]


def _stores(gateway: "Gateway") -> list[Family]:
    database, redis = gateway.database, gateway.redis
    ledger, decisions, audit = gateway.ledger, gateway.decisions, gateway.audit
    return [
        gauge("gateway_database_up", "Whether the database answered last.", database.reachable),
        gauge(
            "gateway_database_writable",
            "Whether the database answered last, and took the last write.",
            database.writable,
        ),
        gauge(
            "gateway_redis_up",
            "Whether Redis answered last; there is no value without REDIS_URL.",
            {} if redis is None else {(): redis.ok},
        ),
        gauge(
            "gateway_unreadable_rows",
            "Rows of the database that this version cannot read and skips, by kind.",
            database.unreadable.counts,
            ("name",),
        ),
        gauge(
            "gateway_queued_rows",
            "Rows that wait for the database.",
            {"usage": ledger.queued, "decisions": decisions.queued, "audit": audit.queued},
            ("queue",),
        ),
        counter(
            "gateway_rows_lost_total",
            "Rows that had no room in their queue, or that the database refused.",
            {"usage": ledger.lost, "decisions": decisions.lost, "audit": audit.dropped},
            ("queue",),
        ),
        counter(
            "gateway_rows_not_journaled_total",
            "Rows that waited for the database in memory only, and would be lost if the process was killed.",
            {"usage": ledger.not_journaled},
            ("queue",),
        ),
        gauge("gateway_audit_entries_missing", "Audit entries that could not be written.", audit.lost),
    ]


def _background(gateway: "Gateway") -> list[Family]:
    jobs = gateway.jobs.states.items()
    return [
        gauge(
            "gateway_job_up",
            "Whether a background job runs.",
            {name: job.state != "restarting" for name, job in jobs},
            ("name",),
        ),
        counter(
            "gateway_job_restarts_total",
            "How often a background job was started again after a failure.",
            {name: job.restarts for name, job in jobs},
            ("name",),
        ),
        gauge(
            "gateway_refresh_behind_seconds",
            "Seconds since this process knew all changes of other processes.",
            gateway.jobs.behind_seconds,
        ),
    ]


def _models(gateway: "Gateway") -> list[Family]:
    found = dict(sorted(gateway.ledger.totals.models.items()))

    def each(value: Callable[[ModelTotals], Any]) -> dict[tuple[str, str], Any]:
        return {key: value(totals) for key, totals in found.items()}

    def split(values: Callable[[ModelTotals], Mapping[str, float]]) -> dict[tuple[str, str, str], float]:
        return {
            (*key, kind): amount for key, totals in found.items() for kind, amount in sorted(values(totals).items())
        }

    return [
        counter(
            "gateway_attempts_total",
            "Calls of models, by how they ended: `ok`, or the code of the error.",
            split(lambda totals: totals.outcomes),
            (*MODEL, "outcome"),
        ),
        counter(
            "gateway_tokens_total",
            "Tokens used. `cached` are a part of `prompt`.",
            split(
                lambda totals: {
                    "prompt": totals.prompt.total,
                    "completion": totals.completion.total,
                    "cached": totals.cached_tokens,
                }
            ),
            (*MODEL, "type"),
        ),
        counter("gateway_cost_usd_total", "Cost, as far as prices are known.", each(lambda one: one.cost), MODEL),
        counter("gateway_unpriced_attempts_total", "Calls of unknown price.", each(lambda one: one.unpriced), MODEL),
        histogram(
            "gateway_attempt_duration_seconds", "Duration of calls of models.", each(lambda one: one.seconds), MODEL
        ),
        histogram(
            "gateway_time_to_first_token_seconds",
            "Time to the first content of a stream.",
            each(lambda one: one.first_token),
            MODEL,
        ),
        gauge("gateway_models", "Models in the registry.", len(gateway.registry.snapshot.models), everywhere=True),
        gauge(
            "gateway_provider_healthy",
            "Whether a provider's last probe or call succeeded.",
            {name: gateway.providers.healthy(name) for name in gateway.accounts_of_providers.names()},
            ("provider",),
        ),
    ]


def _chats(gateway: "Gateway") -> list[Family]:
    cache, durations = gateway.cache.counters, gateway.router.durations
    return [
        counter(
            "gateway_chats_total",
            "Chats that were routed, by how they ended for the caller: `ok`, or the code of the error.",
            dict(sorted(gateway.router.outcomes.items())),
            ("outcome",),
        ),
        histogram(
            "gateway_chat_seconds",
            "Seconds to a whole answer, or to the end of a stream.",
            {("false",): durations[False], ("true",): durations[True]},
            ("stream",),
        ),
        counter(
            "gateway_limits_reached_total",
            "Requests refused by a limit or a budget, by error code.",
            dict(sorted(gateway.limits_reached.items())),
            ("code",),
        ),
        counter(
            "gateway_cache_lookups_total",
            "Look-ups in the cache of answers.",
            {"hit": cache.hits, "miss": cache.misses},
            ("result",),
        ),
        counter("gateway_cache_stored_total", "Answers put into the cache.", cache.stored),
        counter("gateway_cache_saved_usd_total", "Cost of the answers that came from the cache.", float(cache.saved)),
    ]


def _money(gateway: "Gateway") -> list[Family]:
    budgets = gateway.budgets.known[:MOST_BUDGETS]
    keys = [(budget.id, budget.applies_to, budget.period) for budget in budgets]
    limits = dict(zip(keys, (budget.limit_usd for budget in budgets), strict=True))
    left = dict(zip(keys, (budget.left_usd for budget in budgets), strict=True))
    return [
        gauge("gateway_budget_limit_usd", "Limit of a budget for its period.", limits, BUDGET, everywhere=True),
        gauge("gateway_budget_left_usd", "What is left of a budget in this period.", left, BUDGET, everywhere=True),
    ]
