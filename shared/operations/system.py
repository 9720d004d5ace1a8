"""How the gateway is: from what it last saw, without asking anybody."""

from typing import TYPE_CHECKING, Any, Literal

from shared.domain.configuration import Configuration
from shared.domain.identity import Caller
from shared.domain.models import LayerState
from shared.domain.terminal import LimitedBy, SandboxKind
from shared.domain.wire import NoInput, Timestamp, Wire
from shared.operations.auto import AutoState, auto_state
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


class ProcessLimitState(Wire):
    """How many processes a local command may have with all that it starts (0: as many as it likes), and what holds it."""

    most: int
    held_by: LimitedBy


class HealthReport(Wire):
    """The state of the gateway and of what it depends on.

    `redis` says whether it answers, `redis_configured` whether there is to be one. `auto` says which models `auto` would
    use and what it may spend by itself, `local` which local models really
    answer, `sandbox` what holds the commands that are run, `processes` how many of them there may be.
    """

    status: Literal["ok", "degraded", "error"]
    redis: bool
    redis_configured: bool
    database: bool
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
    database = gateway.database.reachable
    degraded = not healthy or bool(gateway.dead_jobs) or (gateway.redis is not None and not gateway.redis.ok)
    return HealthReport(
        status="error" if not database else "degraded" if degraded else "ok",
        redis=gateway.redis is not None and gateway.redis.ok,
        redis_configured=gateway.redis is not None,
        database=database,
        timestamp=gateway.clock(),
        providers=providers,
        healthy_providers=healthy,
        layers=gateway.registry.snapshot.layer_states(),
        configuration=gateway.configuration.current,
        auto=auto_state(gateway),
        local=gateway.oss_local.describe(),
        sandbox=gateway.sandbox.kind,
        processes=ProcessLimitState(most=gateway.sandbox.limit.most, held_by=gateway.sandbox.limited_by),
        version=gateway.version,
        uptime_seconds=int(gateway.uptime_seconds),
    )


HEALTH = Operation(
    name="health",
    summary="How the gateway and its providers are",
    scope=None,
    effect="read",
    request=NoInput,
    result=HealthReport,
    run=_health,
)
