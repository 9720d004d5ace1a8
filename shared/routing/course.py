"""One request from its plan to its end."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.routing.job import Job
from shared.routing.policy import Policy


@dataclass(slots=True)
class Course:
    """What was decided for a request, from what, and what has come of it.

    `version` is the registry's, `stay` the model that the conversation was with, `left` what its budgets left in US
    dollars when the plan was made.
    """

    caller: Caller
    request: ChatRequest
    policy: Policy
    plan: Plan
    job: Job
    version: int
    stay: str
    left: Decimal | None
    usage: Usage | None = None
    notes: dict[str, Any] = field(default_factory=dict)
