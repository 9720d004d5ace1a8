"""How many tokens a chat's request has, counted before it is sent: by the provider where it can, else estimated."""

from typing import TYPE_CHECKING

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.wire import Wire
from shared.errors import GatewayError
from shared.operations.operation import Operation
from shared.providers.base import CountsTokens

if TYPE_CHECKING:
    from shared.gateway import Gateway


class TokenCount(Wire):
    """The tokens of a request, and whether they are only estimated."""

    tokens: int
    estimated: bool


async def _count(gateway: "Gateway", caller: Caller, request: ChatRequest) -> TokenCount:
    """Nobody is charged, and nothing fails: what no provider counts is estimated."""
    estimate = TokenCount(tokens=request.prompt_tokens, estimated=True)
    plan = gateway.router.plan(caller, request)
    model = next(iter(plan.attempts), None)
    provider: object = None if model is None else gateway.providers.get(model.provider)
    if model is None or not isinstance(provider, CountsTokens):
        return estimate
    try:
        counted = await provider.count_tokens(model, request)
    except GatewayError:
        return estimate
    return estimate if counted is None else TokenCount(tokens=counted, estimated=False)


COUNT_TOKENS = Operation(
    name="count_tokens",
    summary="Count the tokens of a chat's request",
    scope="chat",
    effect="read",
    request=ChatRequest,
    result=TokenCount,
    run=_count,
)

OPERATIONS = (COUNT_TOKENS,)
