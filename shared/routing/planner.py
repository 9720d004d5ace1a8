"""From a request to the models to try, in order, and why others are left out. Pure and synchronous."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import OPENING, Dropped, Facts, Plan
from shared.registry.snapshot import Snapshot
from shared.routing.allowance import FEWEST_TOKENS, allowance, most
from shared.usage.pricing import Rates

HARD = 0.25
"""The expected gain of a strong model from which a request counts as hard (measured: bench/routing)."""

FREE_LAYER: Layer = "L0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where `auto` starts, and how high it may go by itself. `spend_guard` keeps what bills out of the free layer,
    `cross_check` lets callers have answers checked, `hedge` sets a second attempt beside slow ones.
    """

    default_layer: Layer = "L0"
    auto_escalate: bool = False
    max_escalation_layer: Layer = "L0"
    spend_guard: bool = True
    cross_check: bool = True
    hedge: bool = False

    @property
    def terms(self) -> str:
        """All of it in one text, for telling whether two answers were found by the same policy."""
        return repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the planner may know of the world.

    `cooling` is in seconds, `rank` puts the fittest of equals first, `draw` gives a number from 0 to 1, `may_bill` is
    asked of models whose rates are not known.
    """

    serves: Callable[[Model], bool]
    cooling: Callable[[Model], float]
    rates: Callable[[Model], Rates | None]
    may_bill: Callable[[Model], bool] = lambda _: False
    rank: Callable[[Model], tuple[bool, float]] = lambda _: (False, 0.0)
    draw: Callable[[], float] = lambda: 0.5


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


def plan(
    facts: Facts,
    snapshot: Snapshot,
    policy: Policy,
    conditions: Conditions,
    permit: Permit = FREELY,
    *,
    enough: int | None = None,
) -> Plan:
    """The plan for a request. Unknown names give none.

    By layer, then priority; equals share by weight, or the fittest goes first. Of the models that are cooling only the
    one that is back soonest is tried, and last. With `enough` the search stops once so many can be asked now, so that a
    large registry costs nothing.
    """
    low, high = layer_range(facts, policy, permit)
    attempts: list[Model] = []
    cooling: list[tuple[float, Model]] = []
    dropped: list[Dropped] = []
    for group in _groups(facts, snapshot, low, high):
        ready: list[Model] = []
        for model in group:
            if reason := _reason_away(model, snapshot, conditions, low, high):
                dropped.append(Dropped(model, reason))
            elif reason := _reason_unfit(model, facts, policy, conditions, permit):
                dropped.append(Dropped(model, reason, unfit=True))
            elif permit.left is not None and (over := _over_budget(model, facts, conditions, permit.left)):
                dropped.append(over)
            elif (seconds := conditions.cooling(model)) > 0:
                cooling.append((seconds, model))
            else:
                ready.append(model)
                if len(ready) + len(attempts) == enough:
                    break
        attempts += _among_equals(ready, conditions) if len(ready) > 1 else ready
        if len(attempts) == enough:
            break
    if facts.needs_code:
        attempts.sort(key=lambda model: (model.layer, not model.capabilities.code))
    if permit.stay:
        attempts.sort(key=lambda model: model.id != permit.stay)
    cooling.sort(key=lambda pair: pair[0])
    dropped += [Dropped(model, f"it is cooling down for another {seconds:.0f} s") for seconds, model in cooling[1:]]
    attempts += [model for _, model in cooling[:1]]
    return Plan(tuple(attempts), tuple(dropped), low, high, tuple(model.id for _, model in cooling))


def layer_range(facts: Facts, policy: Policy, permit: Permit = FREELY) -> tuple[Layer, Layer]:
    """The lowest and the highest layer that the request may use.

    Above the start only with leave: the caller's `maxLayer`, or the operator's automatic escalation. A key's own bound
    holds over everything.
    """
    low, high = _wanted_range(facts, policy)
    if permit.max_layer is not None:
        high = min(high, permit.max_layer)
        if facts.model == "auto":
            low = min(low, high)
    return low, high


def _wanted_range(facts: Facts, policy: Policy) -> tuple[Layer, Layer]:
    options = facts.options
    if facts.model in LAYERS:
        start: Layer = facts.model
        return start, start
    if facts.model != "auto":
        return options.min_layer or "L0", options.max_layer or "L3"
    start = max(policy.default_layer, _start(facts), options.min_layer or "L0")
    if options.max_layer:
        return min(start, options.max_layer), options.max_layer
    return start, max(start, policy.max_escalation_layer) if policy.auto_escalate else start


def _start(facts: Facts) -> Layer:
    """Where the wished quality begins; what is not known to be hard starts where everything does."""
    if facts.options.quality == "critical":
        return "L2"
    hard = facts.complexity is not None and facts.complexity >= HARD
    return "L1" if hard and facts.options.quality == "high" else "L0"


def may_spend(facts: Facts, policy: Policy) -> bool:
    """Whether the caller, or the operator for everybody, gave leave to spend money on a request for the free layer."""
    options = facts.options
    if not policy.spend_guard or options.allow_paid or options.budget_usd:
        return True
    highest = policy.max_escalation_layer if policy.auto_escalate else FREE_LAYER
    return max(options.max_layer or FREE_LAYER, highest) > FREE_LAYER


def follows_conversation(facts: Facts) -> bool:
    """Whether the conversation is known well enough to stay with its model: by name, or because it has begun."""
    return facts.turn > 0 or not facts.conversation.startswith(OPENING)


def _groups(facts: Facts, snapshot: Snapshot, low: Layer, high: Layer) -> Iterator[Iterable[Model]]:
    """The candidates, those of one layer and priority together."""
    if facts.model != "auto" and facts.model not in LAYERS:
        yield from ((model,) for model in snapshot.named(facts.model))
        return
    for layer in LAYERS[LAYERS.index(low) : LAYERS.index(high) + 1]:
        for _, group in groupby(snapshot.by_layer[layer], key=lambda model: model.priority):
            yield group


def _among_equals(models: list[Model], conditions: Conditions) -> Sequence[Model]:
    """The order of models of one layer and priority: drawn by weight, or, where all weigh the same, the fittest first."""
    if len({model.weight for model in models}) == 1:
        return sorted(models, key=conditions.rank)
    return sorted(models, key=lambda model: _lot(model.weight, conditions.draw()))


def _lot(weight: int, drawn: float) -> float:
    """Sorting by these picks each model first as often as its weight says (Efraimidis and Spirakis, 2006)."""
    return -math.log(max(drawn, 1e-12)) / weight if weight else math.inf


def _reason_away(model: Model, snapshot: Snapshot, conditions: Conditions, low: Layer, high: Layer) -> str:
    """Why a model cannot be called at all, in words; empty when it can."""
    if not low <= model.layer <= high:
        return f"its layer {model.layer} is outside {low} to {high}"
    if not snapshot.usable(model):
        return "the model is turned off" if not model.enabled else f"layer {model.layer} is turned off"
    if not conditions.serves(model):
        return unserved(model)
    return ""


def unserved(model: Model) -> str:
    """What is said of a model whose provider cannot take it."""
    return f"provider {model.provider} is not available (no key, or nothing is listening)"


def _reason_unfit(model: Model, facts: Facts, policy: Policy, conditions: Conditions, permit: Permit) -> str:
    """The first hard fact that speaks against a model for this request, in words; empty when none does.

    What a model can do is for choosing one. Of a model that was asked for by name its provider knows better.
    """
    names = {model.id, model.api_model_name, model.provider}
    if permit.models is not None and not names & permit.models:
        return "these credentials may not use it"
    named = facts.model != "auto" and facts.model not in LAYERS
    if not named and (reason := _reason_of_ability(model, facts)):
        return reason
    if model.layer == FREE_LAYER:
        return _reason_of_guard(model, facts, policy, conditions)
    return ""


def _reason_of_ability(model: Model, facts: Facts) -> str:
    if facts.needs_vision and not model.capabilities.vision:
        return "it cannot see images"
    if facts.needs_tools and not model.capabilities.tools:
        return "it cannot call tools"
    if facts.needs_schema and model.capabilities.json_schema is False:
        return "it cannot keep to a JSON schema"
    if model.context_window and facts.prompt_tokens + (facts.max_tokens or 0) > model.context_window:
        return f"its context window of {model.context_window} tokens is too small"
    return ""


def _reason_of_guard(model: Model, facts: Facts, policy: Policy, conditions: Conditions) -> str:
    """The free layer is free: what bills there is not called without leave, whatever name it goes by."""
    if may_spend(facts, policy):
        return ""
    rates = conditions.rates(model)
    if not (conditions.may_bill(model) if rates is None else not rates.free):
        return ""
    cost = "its price is not known" if rates is None else f"it bills ${rates.completion.base:f} per million tokens"
    return f"{cost}, but its layer {FREE_LAYER} is free: move it to another layer, or allow it with gateway.allowPaid"


def _over_budget(model: Model, facts: Facts, conditions: Conditions, left: Decimal) -> Dropped | None:
    rates = conditions.rates(model)
    if rates is None:
        return Dropped(model, "its price is not known, and the request has a budget", unfit=True)
    if allowance(facts, rates, left) is not None:
        return None
    cost = most(facts, rates, facts.max_tokens or FEWEST_TOKENS)
    return Dropped(model, f"it may cost up to ${cost:.6f}, and its budget leaves ${left:.6f}", unfit=True, cost=cost)
