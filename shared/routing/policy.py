"""What bounds a request: the operator's policy, the caller's permit, and the layers that follow from them. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from shared.domain.models import LAYERS, Layer
from shared.domain.routing import Facts

FREE_LAYER: Layer = "L0"

HARD = 0.5
"""How likely a small model's answer must be to fall short for a request to count as hard (measured: bench/routing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where `auto` starts, and how high it may go by itself. `spend_guard` keeps what bills out of the free layer,
    `auto_budget` lets `auto` use the cheapest paid layer within a budget of its own, `cross_check` lets callers have answers checked, `hedge` sets a second attempt beside slow ones.
    """

    default_layer: Layer = "L0"
    auto_escalate: bool = False
    max_escalation_layer: Layer = "L0"
    spend_guard: bool = True
    auto_budget: bool = False
    cross_check: bool = True
    hedge: bool = False

    @property
    def terms(self) -> str:
        """All of it in one text, for telling whether two answers were found by the same policy."""
        return repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What bounds this one request: the caller's models and highest layer, the dollars left to it, and the model that
    its conversation is with.
    """

    models: frozenset[str] | None = None
    max_layer: Layer | None = None
    left: Decimal | None = None
    stay: str = ""


FREELY = Permit()


class Range(NamedTuple):
    """The lowest and the highest layer that a request may use, and the one where it had better begin."""

    low: Layer
    high: Layer
    begin: Layer


def layer_range(facts: Facts, policy: Policy, permit: Permit = FREELY) -> Range:
    """The layers of a request.

    Above the start only with leave: the caller's `maxLayer` or quality, or the operator's automatic escalation. A key's
    own bound holds over everything.
    """
    low, high, begin = _wanted(facts, policy)
    if permit.max_layer is not None:
        high = min(high, permit.max_layer)
        if facts.model == "auto":
            low = min(low, high)
    return Range(low, high, min(begin, high))


def _wanted(facts: Facts, policy: Policy) -> Range:
    options = facts.options
    if facts.model in LAYERS:
        start: Layer = facts.model
        lowest, highest = options.min_layer or "L0", options.max_layer or "L3"
        if not lowest <= start <= highest:  # then its models are left out with that as the reason
            return Range(lowest, highest, lowest)
        return Range(start, start, start)
    if facts.model != "auto":
        low: Layer = options.min_layer or "L0"
        return Range(low, options.max_layer or "L3", low)
    critical: Layer = "L2" if options.quality == "critical" else "L0"
    start = max(policy.default_layer, critical, options.min_layer or "L0")
    begin: Layer = max(start, "L1") if options.quality == "high" and _is_hard(facts) else start
    if options.max_layer:
        return Range(min(start, options.max_layer), options.max_layer, min(begin, options.max_layer))
    highest = max(start, policy.max_escalation_layer) if policy.auto_escalate else start
    return Range(start, max(highest, begin), begin)


def _is_hard(facts: Facts) -> bool:
    """What is not known to be hard starts where everything does."""
    return facts.complexity is not None and facts.complexity >= HARD


def is_funded(facts: Facts, policy: Policy, permit: Permit = FREELY) -> bool:
    """Return whether `auto` may use the cheapest paid layer when no free model can answer.

    Only where nothing else says how high it may go: neither the caller, nor the key, nor the operator's layers.
    """
    if not policy.auto_budget or facts.model != "auto" or facts.options.max_layer or permit.max_layer == FREE_LAYER:
        return False
    return layer_range(facts, policy, permit).high == FREE_LAYER


def may_spend(facts: Facts, policy: Policy) -> bool:
    """Whether the caller, or the operator for everybody, gave leave to spend money on a request for the free layer."""
    options = facts.options
    if not policy.spend_guard or options.allow_paid or options.budget_usd:
        return True
    highest = policy.max_escalation_layer if policy.auto_escalate else FREE_LAYER
    return max(options.max_layer or FREE_LAYER, highest) > FREE_LAYER
