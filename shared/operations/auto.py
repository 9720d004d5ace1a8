"""What `auto` would use now: the model of a simple and of a hard question, and what it may spend by itself."""

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL
from shared.domain.models import Model
from shared.domain.wire import Money, Wire
from shared.errors import GatewayError
from shared.routing.exhausted import nothing_to_try
from shared.routing.planning import ENOUGH

if TYPE_CHECKING:
    from shared.gateway import Gateway


class AutoState(Wire):
    """`simple` is the model that a plain question goes to, `hard` the one of a hard question with `quality: "high"`; null
    where there is none. `budgetUsdPerDay` is what `auto` may spend in the cheapest paid layer by itself.
    """

    simple: str | None
    hard: str | None
    budget_usd_per_day: Money


def likely_model(gateway: "Gateway", *, hard: bool = False) -> Model:
    """The first model of the plan whose provider is well, else the first of all: its provider may not be known yet.

    Raises GatewayError when there is nothing to try.
    """
    body = {
        "messages": [{"role": "user", "content": "Say hello."}],
        "gateway": {"quality": "high" if hard else "normal"},
    }
    request = ChatRequest.parse(body)
    request = replace(request, facts=replace(request.facts, complexity=1.0)) if hard else request
    plan = gateway.router.plan(LOCAL, request, enough=ENOUGH)
    if not plan.attempts:
        raise nothing_to_try(request.facts, plan)
    attempts = plan.attempts
    return next((model for model in attempts if gateway.providers.healthy(model.provider)), attempts[0])


def auto_state(gateway: "Gateway") -> AutoState:
    """What `auto` would use now."""
    return AutoState(
        simple=_id(gateway, hard=False),
        hard=_id(gateway, hard=True),
        budget_usd_per_day=gateway.configuration.current.auto_budget_usd_per_day,
    )


def _id(gateway: "Gateway", *, hard: bool) -> str | None:
    try:
        return likely_model(gateway, hard=hard).id
    except GatewayError:
        return None
