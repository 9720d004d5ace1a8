"""From a request to the models to try, in order, and why others are left out. Pure and synchronous."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.chat import ChatRequest
from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import Dropped, Plan
from shared.domain.usage import Usage
from shared.registry.snapshot import Snapshot

DEFAULT_COMPLETION_TOKENS = 1_000
QUALITY_START: dict[str, Layer] = {"normal": "L0", "high": "L1", "critical": "L2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where `auto` starts, and how high it may go by itself."""

    default_layer: Layer = "L0"
    auto_escalate: bool = False
    max_escalation_layer: Layer = "L0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the planner may know of the world: who can be called now, who is cooling, what things cost."""

    serves: Callable[[Model], bool]
    cooling: Callable[[str], float]
    cost: Callable[[Model, Usage], Decimal | None]


def plan(
    request: ChatRequest, snapshot: Snapshot, policy: Policy, conditions: Conditions, *, enough: int | None = None
) -> Plan:
    """The plan for a request: by layer, then priority; models that are cooling come last. Unknown names give none.

    With `enough` it stops looking once it has so many that can be asked now, so that a large registry costs nothing.
    """
    low, high = layer_range(request, policy)
    attempts: list[Model] = []
    cooling: list[tuple[float, Model]] = []
    dropped: list[Dropped] = []
    named = request.model != "auto" and request.model not in LAYERS
    for model in _candidates(request, snapshot, low, high):
        if reason := _reason_away(model, snapshot, conditions, low, high):
            dropped.append(Dropped(model, reason))
        elif reason := _reason_unfit(model, request, conditions, named=named):
            dropped.append(Dropped(model, reason, unfit=True))
        elif (seconds := conditions.cooling(model.id)) > 0:
            cooling.append((seconds, model))
        else:
            attempts.append(model)
            if len(attempts) == enough:
                break
    if request.needs_code:
        attempts.sort(key=lambda model: (model.layer, not model.capabilities.code))
    attempts.extend(model for _, model in sorted(cooling, key=lambda pair: pair[0]))
    return Plan(tuple(attempts), tuple(dropped))


def layer_range(request: ChatRequest, policy: Policy) -> tuple[Layer, Layer]:
    """The lowest and the highest layer that the request may use.

    Above the start only with leave: the caller's `maxLayer`, or the operator's automatic escalation.
    """
    options = request.options
    if request.model in LAYERS:
        start: Layer = request.model
        return start, start
    if request.model != "auto":
        return options.min_layer or "L0", options.max_layer or "L3"
    start = max(policy.default_layer, QUALITY_START[options.quality], options.min_layer or "L0")
    if options.max_layer:
        return min(start, options.max_layer), options.max_layer
    return start, max(start, policy.max_escalation_layer) if policy.auto_escalate else start


def _candidates(request: ChatRequest, snapshot: Snapshot, low: Layer, high: Layer) -> Iterable[Model]:
    if request.model == "auto" or request.model in LAYERS:
        for layer in LAYERS:
            if low <= layer <= high:
                yield from snapshot.by_layer[layer]
    else:
        yield from snapshot.named(request.model)


def _reason_away(model: Model, snapshot: Snapshot, conditions: Conditions, low: Layer, high: Layer) -> str:
    """Why a model cannot be called at all, in words; empty when it can."""
    if not low <= model.layer <= high:
        return f"its layer {model.layer} is outside {low} to {high}"
    if not snapshot.usable(model):
        return "the model is turned off" if not model.enabled else f"layer {model.layer} is turned off"
    if not conditions.serves(model):
        return f"provider {model.provider} is not available (no key, or nothing is listening)"
    return ""


def _reason_unfit(model: Model, request: ChatRequest, conditions: Conditions, *, named: bool) -> str:
    """The first hard fact that speaks against a model for this request, in words; empty when none does.

    What a model can do is for choosing one. Of a model that was asked for by name its provider knows better.
    """
    if not named and (reason := _reason_of_ability(model, request)):
        return reason
    if request.options.budget_usd is not None:
        return _reason_of_budget(model, request, conditions, request.options.budget_usd)
    return ""


def _reason_of_ability(model: Model, request: ChatRequest) -> str:
    if request.needs_vision and not model.capabilities.vision:
        return "it cannot see images"
    if request.needs_tools and not model.capabilities.tools:
        return "it cannot call tools"
    if model.context_window and request.prompt_tokens + (request.max_tokens or 0) > model.context_window:
        return f"its context window of {model.context_window} tokens is too small"
    return ""


def _reason_of_budget(model: Model, request: ChatRequest, conditions: Conditions, budget: Decimal) -> str:
    most = Usage(prompt=request.prompt_tokens, completion=request.max_tokens or DEFAULT_COMPLETION_TOKENS)
    cost = conditions.cost(model, most)
    if cost is None:
        return "its price is not known, and the request has a budget"
    return f"it may cost ${cost:f}, more than the budget" if cost > budget else ""
