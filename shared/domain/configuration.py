"""The configuration that may change while the gateway runs."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from shared.domain.models import Layer
from shared.domain.wire import Money, Wire

HIGHEST_ALERT = 1_000_000
AlertThreshold = Annotated[Money, Field(ge=0, le=HIGHEST_ALERT)]
"""US dollars a day."""

AutoBudget = Annotated[Money, Field(ge=0, le=1_000_000, decimal_places=9)]
"""US dollars a day that `auto` may spend in the cheapest paid layer; 0 for none."""


class Configuration(Wire):
    """What `/health` shows and `PUT /v1/config` changes."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    default_layer: Layer = "L0"
    enable_cross_check: bool = True
    enable_auto_escalate: bool = False
    max_escalation_layer: Layer = "L0"
    enable_hedging: bool = False
    spend_guard: bool = True
    auto_budget_usd_per_day: AutoBudget = Decimal(0)
    enable_cache: bool = False
    enable_cost_tracking: bool = True
    cost_alert_threshold: AlertThreshold = Decimal(1)
