"""Who would take a plain chat now, for the banner of `serve` and for `doctor`."""

from typing import TYPE_CHECKING

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL
from shared.domain.models import Model
from shared.routing.exhausted import nothing_to_try

if TYPE_CHECKING:
    from shared.gateway import Gateway


def likely_model(gateway: "Gateway") -> Model:
    """The first model of the plan whose provider is well, else the first of all: its provider may not be known yet.

    Raises GatewayError when there is nothing to try.
    """
    request = ChatRequest.parse({"messages": [{"role": "user", "content": "Say hello."}]})
    plan = gateway.router.plan(LOCAL, request)
    if not plan.attempts:
        raise nothing_to_try(request.facts, plan)
    attempts = plan.attempts
    return next((model for model in attempts if gateway.providers.healthy(model.provider)), attempts[0])
