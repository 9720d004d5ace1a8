"""An answer as `mcp-gateway chat` tells of it: a footer for people, facts for scripts. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mcp_gateway.calls.checks import checks_of
from mcp_gateway.calls.offer import Offer
from mcp_gateway.calls.reply import Reply
from mcp_gateway.rendering import checks, dollars
from mcp_gateway.results import Checks
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.routing.answers import Route
from shared.terminal.visible import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer. `cost` is all that it came to, in US dollars; None when that is not known."""

    request_id: str
    text: str
    model: Model
    usage: Usage | None
    cost: Decimal | None
    attempts: int
    finish_reason: str
    seconds: float
    checks: Checks | None

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, for `--json`."""
        return {
            "requestId": self.request_id,
            "text": self.text,
            "model": self.model.api_model_name,
            "modelId": self.model.id,
            "provider": self.model.provider,
            "layer": self.model.layer,
            "usage": self.usage.to_openai() if self.usage else None,
            "costUsd": None if self.cost is None else float(self.cost),
            "attempts": self.attempts,
            "finishReason": self.finish_reason or None,
            "durationMs": round(self.seconds * 1000),
            "checks": self.checks and self.checks.model_dump(mode="json", by_alias=True),
        }

    @property
    def footer(self) -> str:
        """What stands below the text."""
        tokens = f"{self.usage.prompt}+{self.usage.completion} tokens" if self.usage else "tokens not counted"
        facts = [f"{self.model.api_model_name} ({self.model.provider})", self.model.layer, tokens]
        facts += [dollars(self.cost), f"{self.seconds:.1f} s"]
        if self.attempts > 1:
            facts.append(f"{self.attempts} calls")
        if self.finish_reason == "length":
            facts.append("cut at its longest length")
        return visible("\n".join(["— " + " · ".join(facts), *checks(self.checks)]))


def told(reply: Reply, route: Route, *, request_id: str, seconds: float, instead: Offer | None) -> Told:
    """An answer that has come; `instead` is the offer that it was asked for by."""
    cost, found = route.cost, checks_of(reply.notes)
    if instead is not None:
        cost = None if cost is None else cost + instead.spent_usd
        found = instead.taken(found, route.model.id)
    return Told(
        request_id=request_id,
        text=reply.text,
        model=route.model,
        usage=reply.usage,
        cost=cost,
        attempts=route.attempts,
        finish_reason=reply.finish_reason,
        seconds=seconds,
        checks=found,
    )


def told_of(offer: Offer, model: Model, *, request_id: str, seconds: float) -> Told:
    """The answer that there is beside an offer, by that model."""
    return Told(
        request_id=request_id,
        text=offer.answer,
        model=model,
        usage=None if offer.usage is None else Usage.from_openai(offer.usage),
        cost=offer.spent_usd,
        attempts=1,
        finish_reason="length" if offer.reason == "truncated" else "",
        seconds=seconds,
        checks=None,
    )
