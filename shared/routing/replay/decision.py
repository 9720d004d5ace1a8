"""How one request was decided, and from what: enough to decide it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Layer, Model
from shared.domain.routing import Facts, Plan
from shared.domain.usage import Usage
from shared.routing.job import Made
from shared.routing.policy import Policy


@dataclass(slots=True, kw_only=True)  # made for every chat, and freezing doubles what that costs; nobody changes it
class Decision:
    """One request: what was known of it, the plan, the calls that were made, and what came of it.

    `outcome` is `ok` or the code of the error; `model` gave the answer. `stay` names the model that its conversation was
    with, `start` is the layer that was begun at, `left` what budgets had left in US dollars, `lesson` what a later vote
    on the answer can teach the router. `request` is kept only where its text may be.
    """

    at: datetime
    caller: Caller
    request: ChatRequest | None
    facts: Facts
    policy: Policy
    plan: Plan
    stay: str
    start: Layer | None
    left: Decimal | None
    calls: Sequence[Made]
    outcome: str
    model: Model | None
    usage: Usage | None
    notes: Mapping[str, Any]
    lesson: Mapping[str, Any] | None


class DecisionLog(Protocol):
    """Where decisions go; recording one never waits and never fails."""

    @property
    def takes_text(self) -> bool:
        """Whether the request itself is wanted too."""

    def record(self, decision: Decision) -> None:
        """Keep it."""
