"""What would have become of a past request under another policy: planned again, and walked with what is known. Pure.

A model that failed for the request then fails again, and so does one that was cooling down; one that was not asked then
is taken to answer, with as many tokens.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from shared.domain.models import Model
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.registry.snapshot import Snapshot
from shared.routing.checks.agreement import cheapest_first, split
from shared.routing.judgement import starting_at
from shared.routing.planner import Conditions, cheapest_paid, free_instead, plan, with_paid
from shared.routing.planning import ENOUGH
from shared.routing.policy import Policy, is_funded
from shared.routing.replay.decision_record import Call, Record
from shared.routing.replay.past import ANSWERED, TRIED, Past, known, total
from shared.routing.replay.policy_file import Place, Proposal
from shared.usage.pricing import PriceBook

CHECKS = frozenset({"review", "arbitration", "self-check"})
"""What is done with whatever answer there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The policy to try, and what is asked of the world as it is now."""

    proposal: Proposal
    prices: PriceBook
    serves: Callable[[Model], bool]
    may_bill: Callable[[Model], bool]

    @property
    def policy(self) -> Policy:
        """The policy to try."""
        return self.proposal.policy


@dataclass(frozen=True, slots=True)
class Side:
    """How a request went, or would go: the model that answered, until the end or until its caller left (None: no answer),
    US dollars (None: not known), and how many calls failed.
    """

    model: str | None
    cost: Decimal | None
    failed: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A request then and now. `reason` says why there would be no answer. `spent` is what it really came to then, as far
    as prices were known; the cost of its side is None when one was not.
    """

    then: Side
    now: Side
    reason: str = ""
    spent: Decimal = Decimal(0)


class Replay:
    """Plans requests again under one proposal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._snapshot = _evened(world.proposal)

    def of(self, request_id: str, record: Record) -> Replayed:
        """What would have become of a request."""
        past, costs = Past(record), [call.cost for call in record.calls]
        then = Side(past.heard, total(costs), past.failed(past.trials))
        return replace(self._replayed(request_id, record, past, then), spent=known(costs))

    def _replayed(self, request_id: str, record: Record, past: Past, then: Side) -> Replayed:
        if past.unasked:
            return Replayed(then, then)
        if record.facts.options.cross_check and not self._world.policy.cross_check:
            return Replayed(then, Side(None, Decimal(0), 0), "cross-checks are turned off")
        found = self._plan(request_id, record)
        walks = [past.walked(models) for models in self._ways(record, found)]
        lasts = [walk.last for walk in walks if walk.last is not None]
        asked = list(dict.fromkeys(name for walk in walks for name in walk.asked))
        failed = past.failed(asked)
        if not lasts:
            return Replayed(then, Side(None, total(_costs(past, asked)), failed), _why(found))
        if all(model.id in past.trials for model in lasts):
            return Replayed(then, self._as_then(record, past, asked))
        new = [model for model in lasts if model.id not in past.trials]
        answers = [self._answer_cost(model, record.usage) for model in new]
        checks = [call.cost for call in record.calls if call.purpose in CHECKS]
        return Replayed(then, Side(lasts[0].id, total([*_costs(past, asked), *answers, *checks]), failed))

    def _plan(self, request_id: str, record: Record) -> Plan:
        places = {model_id: place for place, model_id in enumerate(record.attempts)}
        resting = {model_id: float(place) for place, model_id in enumerate(record.cooling, start=1)}
        world = self._world
        conditions = Conditions(
            serves=lambda model: model.id in places or (model.provider not in record.away and world.serves(model)),
            cooling=lambda model, _: resting.get(model.id, 0.0),
            rates=world.prices.rates,
            may_bill=world.may_bill,
            rank=lambda model: (False, float(places.get(model.id, len(places)))),
            draw=random.Random(request_id).random,  # noqa: S311 - a share of the traffic, the same each time
        )
        planned = partial(plan, snapshot=self._snapshot, conditions=conditions, enough=ENOUGH)
        found = planned(record.facts, policy=world.policy, permit=record.permit)
        if instead := free_instead(record.facts, world.policy, found):
            facts, policy = instead
            below = planned(facts, policy=policy, permit=replace(record.permit, stay=""))
            return below if below.attempts else found
        if is_funded(record.facts, world.policy, record.permit):
            paid = cheapest_paid(
                record.facts,
                world.policy,
                record.permit,
                lambda facts, policy: planned(facts, policy=policy, permit=record.permit),
            )
            return with_paid(found, paid)
        return found

    def _ways(self, record: Record, found: Plan) -> Sequence[Sequence[Model]]:
        """The models in the order in which they are asked: two such orders where two must agree."""
        models: Sequence[Model] = found.attempts
        if record.start is not None and models and models[0].id != record.permit.stay:
            models = starting_at(models, record.start)
        if models and (record.facts.options.agreement or 0) > 1:
            return [way for way, _ in split(cheapest_first(self._world.prices, record.facts, models))]
        return [models]

    def _as_then(self, record: Record, past: Past, asked: Sequence[str]) -> Side:
        """It comes to who was asked then, and what followed there follows again, as far as the policy lets it."""
        calls = [call for call in record.calls if call.purpose not in TRIED or call.model in (*asked, record.model)]
        higher = [call for call in calls if call.purpose == "escalation" and not self._may_escalate(record, call)]
        calls = [call for call in calls if call not in higher]
        model, failed = past.heard, past.failed(asked)
        if record.outcome not in ANSWERED:
            return Side(model, total(call.cost for call in calls), failed)
        if any(call.model == model for call in higher):
            model = next((call.model for call in reversed(calls) if call.outcome == "ok"), None)
        return Side(model, self._repriced(record, model, calls), failed)

    def _repriced(self, record: Record, model: str | None, calls: Sequence[Call]) -> Decimal | None:
        """What the calls came to; the answer at the proposal's price where it sets one."""
        answer = next((call for call in reversed(calls) if call.model == model and call.outcome == "ok"), None)
        if answer is None or model not in self._world.proposal.repriced:
            return total(call.cost for call in calls)
        usage = record.usage if model == record.model else None
        cost = self._answer_cost(self._snapshot.models[answer.model], usage)
        return total([cost, *(call.cost for call in calls if call is not answer)])

    def _answer_cost(self, model: Model, usage: Usage | None) -> Decimal | None:
        return None if usage is None else self._world.prices.cost(model, usage)

    def _may_escalate(self, record: Record, call: Call) -> bool:
        options, policy = record.facts.options, self._world.policy
        model = self._snapshot.models.get(call.model)
        if model is None or not self._snapshot.usable(model):
            return False
        asked = policy.auto_escalate or (options.agreement or 0) > 1 if options.escalate is None else options.escalate
        return asked and model.layer <= (options.max_layer or policy.max_escalation_layer)


def _evened(proposal: Proposal) -> Snapshot:
    """The registry with equal weights wherever the proposal leaves the shares alone: there the lots fall as they did."""
    models = proposal.snapshot.models.values()
    evened = [
        model if _place(model) in proposal.reshared else model.model_copy(update={"weight": 1}) for model in models
    ]
    return Snapshot.build(proposal.snapshot.version, evened, proposal.snapshot.layer_enabled)


def _costs(past: Past, asked: Iterable[str]) -> Iterable[Decimal | None]:
    return (past.trials[name].cost for name in asked if name in past.trials)


def _place(model: Model) -> Place:
    return model.layer, model.priority


def _why(found: Plan) -> str:
    if found.attempts:
        return "each model that it may use failed then"
    if found.dropped:
        first = next((item for item in found.dropped if item.unfit), found.dropped[0])
        return f"{first.model.id}: {first.reason}"
    return f"there is no model in the layers that it may use ({found.low} to {found.high})"
