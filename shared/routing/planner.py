"""From a request to the models to try, in order, and why others are left out. Pure and synchronous."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import OPENING, Dropped, Facts, Plan
from shared.providers.embedded import is_embedded
from shared.registry.snapshot import Group, Snapshot, grouped
from shared.routing.fitness import Fitness, is_chosen, is_doubtful, is_permitted
from shared.routing.policy import FREELY, Permit, Policy, layer_range
from shared.usage.pricing import Rates

MOST_COMPARED = 64
"""So many equals are looked at before one is chosen; of more, all of one weight, it is some that begin anywhere."""

LAST_RESORT = "it is the embedded model, which answers only by name where other models are configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the planner may know of the world.

    `cooling` is in seconds from the given moment, of which `now` reads the present one, `rank` puts the fittest of
    equals first, `draw` gives a number from 0 to 1, `may_bill` is asked of models whose rates are not known.
    `awaited` says whether a local server that the operator named does not answer,
    `unlisted` what to say of a model that no local server offers though some answer.
    """

    serves: Callable[[Model], bool]
    cooling: Callable[[Model, float], float]
    rates: Callable[[Model], Rates | None]
    now: Callable[[], float] = lambda: 0.0
    may_bill: Callable[[Model], bool] = lambda _: False
    rank: Callable[[Model], tuple[bool, float]] = lambda _: (False, 0.0)
    draw: Callable[[], float] = lambda: 0.5
    awaited: Callable[[], bool] = lambda: False
    unlisted: Callable[[Model], str] = lambda _: ""


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
    one that is back soonest is tried, and last. With `enough` the search in a layer stops once so many can be asked now,
    so that a large registry costs nothing.
    """
    low, high, begin = layer_range(facts, policy, permit)
    fitness = Fitness(facts, policy, permit, rates=conditions.rates, may_bill=conditions.may_bill)
    attempts: list[Model] = []
    cooling: list[tuple[float, Model]] = []
    dropped: list[Dropped] = []
    standby: list[Model] = []
    stay, now = _stay(facts, snapshot, permit, low, high), conditions.now()
    for turn, groups in enumerate(_layers(facts, snapshot, low, high, stay)):
        found = 0
        for group in groups:
            if enough is not None and found >= enough:
                break
            ready: list[Model] = []
            first = _first_of(group, enough, conditions)
            for model in group.models if first is None else _from(group.models, first):
                if model is stay and turn:  # it has had its turn
                    continue
                if out := _not_callable(model, snapshot, conditions, low, high):
                    dropped.append(out)
                elif unfit := fitness.against(model):
                    dropped.append(unfit)
                elif is_embedded(model) and is_chosen(facts):
                    standby.append(model)
                elif (seconds := conditions.cooling(model, now)) > 0:
                    cooling.append((seconds, model))
                else:
                    ready.append(model)
                    if first is not None and len(ready) == enough:
                        break
            found += len(ready)
            attempts += _among_equals(ready, group, conditions) if len(ready) > 1 else ready
    if standby and not attempts and not cooling and not _is_configured(facts, snapshot, conditions, permit):
        attempts += standby
    else:
        dropped += [Dropped(model, LAST_RESORT, standby=True, away=conditions.awaited()) for model in standby]
    if facts.needs_code:
        attempts.sort(key=lambda model: (model.layer, not model.capabilities.code))
    if facts.needs_tools or facts.needs_vision:
        attempts.sort(key=lambda model: (model.layer, is_doubtful(model, facts)))
    if begin > low:
        attempts.sort(key=lambda model: model.layer < begin)
    if permit.stay:
        attempts.sort(key=lambda model: model.id != permit.stay)
    cooling.sort(key=lambda pair: pair[0])
    dropped += [Dropped(model, f"it is cooling down for another {seconds:.0f} s") for seconds, model in cooling[1:]]
    attempts += [model for _, model in cooling[:1]]
    return Plan(tuple(attempts), tuple(dropped), low, high, tuple(model.id for _, model in cooling))


def free_instead(facts: Facts, policy: Policy, found: Plan) -> tuple[Facts, Policy] | None:
    """The same for the free models of the layers below, where the budget is in the way of every model, which it is not
    in; None where it is not so, or the caller wants no lower layer.
    """
    over = not found.attempts and any(dropped.cost is not None for dropped in found.dropped)
    if not over or facts.model != "auto" or facts.options.min_layer or facts.options.quality == "critical":
        return None
    return replace(facts, complexity=None), replace(policy, default_layer="L0")


def cheapest_paid(facts: Facts, policy: Policy, permit: Permit, planned: Callable[[Facts, Policy], Plan]) -> Plan:
    """The plan for the lowest paid layer that has a model for the request, with what was left out below it.

    `planned` makes the plan of each layer that is looked at.
    """
    dropped: list[Dropped] = []
    found = Plan(())
    for layer in LAYERS[1 : LAYERS.index(permit.max_layer or LAYERS[-1]) + 1]:
        options = facts.options.model_copy(update={"min_layer": layer, "max_layer": layer, "quality": "normal"})
        found = planned(replace(facts, options=options), replace(policy, default_layer=layer))
        dropped += found.dropped
        if found.attempts:
            break
    return replace(found, dropped=tuple(dropped))


def is_ready(found: Plan) -> bool:
    """Return whether a plan has a model that is not cooling down."""
    return len(found.attempts) > len(found.cooling) or any(model.id not in found.cooling for model in found.attempts)


def with_paid(found: Plan, paid: Plan) -> Plan:
    """The plan of a free layer with the models of a paid one behind those that are ready."""
    if not paid.attempts and not paid.dropped:
        return found
    ready = [model for model in found.attempts if model.id not in found.cooling]
    resting = [model for model in found.attempts if model.id in found.cooling]
    return replace(
        found,
        attempts=(*ready, *paid.attempts, *resting),
        dropped=(*found.dropped, *paid.dropped),
        high=max(found.high, paid.high) if paid.attempts else found.high,
        cooling=(*found.cooling, *paid.cooling),
    )


def _is_configured(facts: Facts, snapshot: Snapshot, conditions: Conditions, permit: Permit) -> bool:
    """Return whether there is a model to ask besides the embedded one, now or later, in the layers that the caller may use."""
    if conditions.awaited():
        return True
    named: Layer = facts.model if facts.model in LAYERS else LAYERS[-1]
    high = min(named, facts.options.max_layer or LAYERS[-1], permit.max_layer or LAYERS[-1])
    return any(
        model.layer <= high
        and not is_embedded(model)
        and snapshot.usable(model)
        and is_permitted(model, permit)
        and conditions.serves(model)
        for model in snapshot.models.values()
    )


def follows_conversation(facts: Facts) -> bool:
    """Whether the conversation is known well enough to stay with its model: by name, or because it has begun."""
    return facts.turn > 0 or not facts.conversation.startswith(OPENING)


def _stay(facts: Facts, snapshot: Snapshot, permit: Permit, low: Layer, high: Layer) -> Model | None:
    """The model that the conversation is with, which is looked at before all others, as far as it may be chosen."""
    if not permit.stay or not is_chosen(facts):
        return None
    model = snapshot.models.get(permit.stay)
    return model if model is not None and low <= model.layer <= high else None


def _layers(facts: Facts, snapshot: Snapshot, low: Layer, high: Layer, stay: Model | None) -> Iterator[Iterable[Group]]:
    """The candidates by layer, those of one priority together; the model that the conversation is with before all of them."""
    if stay is not None:
        yield (Group((stay,), weighted=False),)
    if facts.model in LAYERS:
        yield snapshot.groups[facts.model]
    elif facts.model != "auto":
        yield grouped(snapshot.named(facts.model))
    else:
        for layer in LAYERS[LAYERS.index(low) : LAYERS.index(high) + 1]:
            yield snapshot.groups[layer]


def _first_of(group: Group, enough: int | None, conditions: Conditions) -> int | None:
    """Where to begin in a group that is too large to be looked at whole; None in any other."""
    if enough is None or group.weighted or len(group.models) <= MOST_COMPARED:
        return None
    return int(conditions.draw() * len(group.models))


def _from(models: Sequence[Model], first: int) -> Iterator[Model]:
    """All of them, beginning with that one; none is touched before its turn, since very many do not stay in the CPU's cache."""
    count = len(models)
    return (models[(first + number) % count] for number in range(count))


def _among_equals(models: list[Model], group: Group, conditions: Conditions) -> Sequence[Model]:
    """The order of models of one layer and priority: drawn by weight, or, where all weigh the same, the fittest first."""
    if not group.weighted:
        return sorted(models, key=conditions.rank)
    return sorted(models, key=lambda model: _lot(model.weight, conditions.draw()))


def _lot(weight: int, drawn: float) -> float:
    """Sorting by these picks each model first as often as its weight says (Efraimidis and Spirakis, 2006)."""
    return -math.log(max(drawn, 1e-12)) / weight if weight else math.inf


def _not_callable(model: Model, snapshot: Snapshot, conditions: Conditions, low: Layer, high: Layer) -> Dropped | None:
    """Return why a model cannot be called at all, or None when it can."""
    if not low <= model.layer <= high:
        return Dropped(model, f"its layer {model.layer} is outside {low} to {high}")
    if not snapshot.usable(model):
        what = "the model" if not model.enabled else f"layer {model.layer}"
        return Dropped(model, f"{what} is turned off")
    if not conditions.serves(model):
        return Dropped(model, conditions.unlisted(model) or unserved(model), away=True)
    return None


def unserved(model: Model) -> str:
    """What is said of a model whose provider cannot take it."""
    return f"provider {model.provider} is not available (no key, or nothing is listening)"
