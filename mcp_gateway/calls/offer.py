"""A better answer that costs money, offered beside the one there is: what to ask, and how to go there."""

from decimal import Decimal
from typing import Any

from pydantic import ConfigDict

from mcp_gateway.calls.checks import after_a_step, shortcoming
from mcp_gateway.rendering import dollars
from mcp_gateway.results import Checks
from shared.domain.models import Layer
from shared.domain.wire import Money, Wire
from shared.errors import Conflict

CODE = "escalation_needs_confirmation"


class Offer(Wire):
    """The answer there is with what speaks against it, and the next model with the most that it may cost.

    `usage` is what the answer used, in OpenAI's form; None when it is not told.
    """

    model_config = ConfigDict(extra="ignore")

    reason: str
    answer: str
    model: str
    next_model: str
    next_layer: Layer
    cost_usd: Money | None
    spent_usd: Money
    usage: dict[str, Any] | None = None

    @classmethod
    def of(cls, error: Conflict) -> "Offer":
        """The offer in an error. Raises the error again when there is none."""
        if error.code != CODE:
            raise error
        return cls.model_validate(error.details)

    @property
    def shortcoming(self) -> str:
        """What speaks against the answer there is, as a clause."""
        return shortcoming(self.reason, self.model)

    @property
    def price(self) -> str:
        """What the next one may cost, in words."""
        return "an amount that is not known" if self.cost_usd is None else f"up to {dollars(self.cost_usd)}"

    @property
    def question(self) -> str:
        """What to ask the user."""
        return (
            f"{self.shortcoming[:1].upper()}{self.shortcoming[1:]}. Ask {self.next_model} (layer {self.next_layer}) "
            f"too? That costs {self.price}."
        )

    @property
    def invitation(self) -> str:
        """What to say where nobody could be asked."""
        return (
            f"It may not be good enough: {self.shortcoming}. {self.next_model} may do better and costs {self.price}; "
            f'if the user agrees, call chat again with model "{self.next_layer}".'
        )

    @property
    def refused(self) -> str:
        """What to say once the user has not agreed; it must not make anybody ask again."""
        return (
            f"The user was asked and did not agree to ask {self.next_model}, which costs {self.price}. This is the "
            f"cheaper answer; know that {self.shortcoming}."
        )

    def taken(self, found: Checks | None, to: str) -> Checks:
        """The checks of the answer of `to`, which was asked for instead."""
        return after_a_step(found, reason=self.reason, start=self.model, to=to, spent=self.spent_usd)

    def accepted(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The request for the next model: that layer and no other, with leave to spend what its budget still has."""
        options = {name: value for name, value in payload["gateway"].items() if name not in ("agreement", "quality")}
        options |= {"minLayer": self.next_layer, "maxLayer": self.next_layer, "escalation": "allow"}
        if "budgetUsd" in options:
            options["budgetUsd"] = max(options["budgetUsd"] - self.spent_usd, Decimal(0))
        return {**payload, "model": "auto", "gateway": options}
