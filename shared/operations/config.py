"""The configuration that may change while the gateway runs."""

from typing import TYPE_CHECKING, Literal

from shared.domain.configuration import AlertThreshold, AutoBudget, Configuration
from shared.domain.identity import Caller
from shared.domain.models import Layer
from shared.domain.wire import NoInput, Wire
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


class CurrentConfiguration(Wire):
    """The configuration in force."""

    configuration: Configuration


class ChangeConfiguration(Wire):
    """What to change; what is left out stays as it is, and null returns a value to what the settings say."""

    log_level: Literal["debug", "info", "warning", "error"] | None = None
    default_layer: Layer | None = None
    enable_cross_check: bool | None = None
    enable_auto_escalate: bool | None = None
    max_escalation_layer: Layer | None = None
    enable_hedging: bool | None = None
    spend_guard: bool | None = None
    auto_budget_usd_per_day: AutoBudget | None = None
    enable_cache: bool | None = None
    enable_cost_tracking: bool | None = None
    cost_alert_threshold: AlertThreshold | None = None


class ChangedConfiguration(Wire):
    """The configuration now in force."""

    success: Literal[True] = True
    configuration: Configuration


async def _get(gateway: "Gateway", caller: Caller, request: NoInput) -> CurrentConfiguration:
    return CurrentConfiguration(configuration=gateway.configuration.current)


async def _change(gateway: "Gateway", caller: Caller, request: ChangeConfiguration) -> ChangedConfiguration:
    changes = {name: getattr(request, name) for name in request.model_fields_set}
    return ChangedConfiguration(configuration=await gateway.configuration.update(changes))


GET_CONFIG = Operation(
    name="get_config",
    summary="Show the configuration in force",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=CurrentConfiguration,
    run=_get,
)
CHANGE_CONFIG = Operation(
    name="change_config",
    summary="Change the configuration, at once and without a restart",
    scope="admin",
    effect="write",
    request=ChangeConfiguration,
    result=ChangedConfiguration,
    run=_change,
    audit=lambda request: request.model_dump(mode="json", exclude_unset=True),
)
