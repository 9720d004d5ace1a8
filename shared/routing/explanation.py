"""What a chat would come to now: its plan, and all that the plan was made from."""

from dataclasses import dataclass, replace
from decimal import Decimal

from shared.domain.budgets import BudgetStanding
from shared.domain.routing import Facts, Plan
from shared.errors import GatewayError
from shared.routing.complexity.estimate import Estimate
from shared.routing.learning.choice import Choice
from shared.routing.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A plan with every candidate, in the order in which they would be asked.

    `stay` is the model that the conversation is with, `heard` says whether the estimate counts for this request.
    `choice` is where the router has learned to start, None where it has no opinion; `followed` says whether the plan
    starts there. `left` is in US dollars, of `budgets` and of the request's own; None without any. `nobody` is what the
    chat would be told where the plan has no model.
    """

    facts: Facts
    policy: Policy
    plan: Plan
    stay: str
    estimate: Estimate
    heard: bool
    choice: Choice | None
    followed: bool
    budgets: tuple[BudgetStanding, ...]
    left: Decimal | None
    nobody: GatewayError | None = None


def completed(found: Plan, whole: Plan) -> Plan:
    """A plan whose search stopped early, with what a search to the end finds besides."""
    known = {model.id for model in found.attempts}
    rest = (model for model in whole.attempts if model.id not in known)
    dropped = tuple(item for item in whole.dropped if item.model.id not in known)
    return replace(found, attempts=(*found.attempts, *rest), dropped=dropped)
