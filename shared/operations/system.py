"""How the gateway is: from what it last saw, without asking anybody."""

from typing import TYPE_CHECKING, Any, Literal

from shared.domain.budgets import CountedBy, WithoutRedis
from shared.domain.configuration import Configuration
from shared.domain.identity import Caller
from shared.domain.models import LayerState
from shared.domain.terminal import LimitedBy, SandboxKind
from shared.domain.wire import NoInput, Timestamp, Wire
from shared.operations.auto import AutoState, auto_state
from shared.operations.operation import Operation
from shared.supervision import JobState

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST_MODELS_OF_LAYER = 50
"""Models of a layer that the report names; GET /v1/models/layers has all."""
BEHIND_SECONDS = 10.0
"""A process whose refresh is further behind does not get requests: a key that was revoked elsewhere would work here."""


class ProcessLimitState(Wire):
    """How many processes a local command may have with all that it starts (0: as many as it likes), and what holds it."""

    most: int
    held_by: LimitedBy


class JobHealth(Wire):
    """A background job: whether it runs, and how often it was started again after a failure."""

    state: JobState
    restarts: int


class BudgetHealth(Wire):
    """What counts the budgets now: `memory` (this process alone), `redis`, `shares` that the processes agreed on while Redis
    is away, or `nobody`. `processes` share them then; `without_redis` is the setting.
    """

    counted_by: CountedBy
    without_redis: WithoutRedis
    processes: int


class HealthReport(Wire):
    """The state of the gateway and of what it depends on.

    `redis` says whether it answers, `redis_configured` whether there is to be one. `auto` says which models `auto` would
    use and what it may spend by itself, `local` which local models really answer,
    `budgets` what counts them, `nodes` by the id of each process why it cannot be asked at its NODE_URL (empty when it can), `layers` the first models of each layer, `jobs` what runs in the background, `refresh_behind_seconds` how old the keys, models and budgets may be that
    this process goes by, `audit_entries_dropped` how many the database refused for good, `database_writable` whether the database took the last write, `unreadable_rows` how many rows another version wrote that
    this one skips, `sandbox` what holds the commands that are run, `processes` how many of them there may be.
    """

    status: Literal["ok", "degraded"]
    redis: bool
    redis_configured: bool
    database: bool
    database_writable: bool
    unreadable_rows: dict[str, int]
    jobs: dict[str, JobHealth]
    refresh_behind_seconds: float
    audit_entries_dropped: int
    budgets: BudgetHealth
    nodes: dict[str, str]
    timestamp: Timestamp
    providers: dict[str, bool]
    healthy_providers: list[str]
    layers: dict[str, LayerState]
    configuration: Configuration
    auto: AutoState
    local: dict[str, Any]
    sandbox: SandboxKind
    processes: ProcessLimitState
    version: str
    uptime_seconds: int


async def _health(gateway: "Gateway", caller: Caller, request: NoInput) -> HealthReport:
    providers = {name: gateway.providers.healthy(name) for name in gateway.accounts_of_providers.names()}
    healthy = [name for name, well in providers.items() if well]
    return HealthReport(
        status="degraded" if degraded_parts(gateway) else "ok",
        redis=gateway.redis is not None and gateway.redis.ok,
        redis_configured=gateway.redis is not None,
        database=gateway.database.reachable,
        database_writable=gateway.database.writable,
        unreadable_rows=gateway.database.unreadable.counts,
        jobs={name: JobHealth(state=job.state, restarts=job.restarts) for name, job in gateway.jobs.states.items()},
        refresh_behind_seconds=round(gateway.jobs.behind_seconds, 1),
        audit_entries_dropped=gateway.audit.dropped,
        budgets=_budgets(gateway),
        nodes=dict(gateway.reach.found),
        timestamp=gateway.clock(),
        providers=providers,
        healthy_providers=healthy,
        layers={name: _brief(state) for name, state in gateway.registry.snapshot.layer_states().items()},
        configuration=gateway.configuration.current,
        auto=auto_state(gateway),
        local=gateway.oss_local.describe(),
        sandbox=gateway.sandbox.kind,
        processes=ProcessLimitState(most=gateway.sandbox.limit.most, held_by=gateway.sandbox.limited_by),
        version=gateway.version,
        uptime_seconds=int(gateway.uptime_seconds),
    )


def _budgets(gateway: "Gateway") -> BudgetHealth:
    sharing, redis = gateway.budgets.sharing, gateway.redis
    alone: CountedBy = "memory" if redis is None or redis.away else "redis"
    counted_by = alone if sharing is None else sharing.outage.counted_by
    return BudgetHealth(
        counted_by=counted_by,
        without_redis=gateway.settings.budgets_without_redis,
        processes=sharing.outage.processes if sharing is not None and counted_by == "shares" else 1,
    )


def degraded_parts(gateway: "Gateway") -> list[str]:
    """Names of what does not work now, or works with less than it should."""
    names = gateway.accounts_of_providers.names()
    parts = {
        "database": not gateway.database.writable,
        "redis": gateway.redis is not None and not gateway.redis.ok,
        "providers": not any(gateway.providers.healthy(name) for name in names),
        "unreadable-rows": bool(gateway.database.unreadable.counts),
        "nodes": any(gateway.reach.found.values()),
        "refresh": gateway.jobs.behind_seconds > BEHIND_SECONDS,
        **{f"job:{name}": True for name in gateway.jobs.restarting},
    }
    return [name for name, degraded in parts.items() if degraded]


def hindrances(gateway: "Gateway") -> list[str]:
    """Why this process should get no requests now; empty when it can answer chats."""
    return ["refresh"] if gateway.jobs.behind_seconds > BEHIND_SECONDS else []


def _brief(state: LayerState) -> LayerState:
    return state.model_copy(update={"models": state.models[:MOST_MODELS_OF_LAYER]})


HEALTH = Operation(
    name="health",
    summary="How the gateway and its providers are",
    scope=None,
    effect="read",
    request=NoInput,
    result=HealthReport,
    run=_health,
)
