"""Where a chat would go, in brief."""

from mcp_gateway.arguments import Question
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.questions import question_of
from mcp_gateway.results import RouteDropped, RouteEntry, RouteResult
from shared.operations import dispatch
from shared.operations.routing import EXPLAIN_ROUTE, RouteExplanation

SHOWN = 20
"""Of each list; hosts and models have little room, and the rest matters to nobody."""


async def run(call: Call, question: Question) -> RouteResult:
    """The plan, without calling anyone."""
    return in_brief(await dispatch.call(call.gateway, call.caller, EXPLAIN_ROUTE, question_of(question)))


def in_brief(found: RouteExplanation) -> RouteResult:
    """What a model needs of an explanation."""
    complexity = found.facts.complexity
    return RouteResult(
        summary=found.summary,
        first_choice=found.first_choice,
        lowest_layer=found.policy.lowest_layer,
        highest_layer=found.policy.highest_layer,
        complexity=complexity.hardness or 0.0,
        complexity_sure=complexity.hardness is not None,
        stays_with=found.facts.conversation.stays_with,
        left_usd=found.left_usd,
        attempts=[
            RouteEntry.model_validate(candidate.model_dump(include=set(RouteEntry.model_fields), by_alias=False))
            for candidate in found.attempts[:SHOWN]
        ],
        dropped=[RouteDropped(id=item.id, layer=item.layer, reason=item.reason) for item in found.dropped[:SHOWN]],
        more=max(len(found.attempts) - SHOWN, 0) + max(len(found.dropped) - SHOWN, 0),
    )
