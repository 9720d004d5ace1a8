"""The plan of each request, from everything that bears on it just now: registry, policy, budgets, conversation, estimate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import Facts, Plan
from shared.errors import Forbidden, GatewayError
from shared.registry.registry import Registry, unknown_model
from shared.routing import exhausted
from shared.routing.affinity import Affinity
from shared.routing.course import Course
from shared.routing.explanation import Explanation, completed
from shared.routing.fitness import is_chosen
from shared.routing.job import Deadline, Job, Tab
from shared.routing.judgement import Judgement, starting_at, with_complexity
from shared.routing.learning.choice import Choice
from shared.routing.planner import Conditions, cheapest_paid, free_instead, is_ready, plan, with_paid
from shared.routing.policy import Permit, Policy, is_funded, layer_range, may_spend
from shared.usage.budgets import Budgets

ENOUGH = 12
"""A walk makes eight attempts; a few more are for those that turn out to be resting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What routing goes by besides the request: the operator's policy, and the world as it is."""

    policy: Callable[[], Policy]
    conditions: Conditions
    clock: Callable[[], datetime]


class Planning:
    """Makes plans. Nobody is asked and nothing is spent here."""

    def __init__(
        self, *, registry: Registry, rules: Rules, budgets: Budgets, judgement: Judgement, affinity: Affinity
    ) -> None:
        self.rules = rules
        self.judgement = judgement
        self._registry = registry
        self._budgets = budgets
        self._affinity = affinity

    async def course(self, caller: Caller, request: ChatRequest) -> Course:
        """The request with its plan; one without any model has `nothing` to say."""
        estimate = self.judgement.estimate(request)
        request = with_complexity(request, estimate)
        await self._affinity.recall(caller, request.facts)
        tab, stay = self._tab(caller, request), self._stay(caller, request)
        policy, left = self.rules.policy(), tab.left
        request = request if left is None else request.bounded()
        found = self._free(caller, request, tab, self._planned(caller, request, tab, stay, enough=ENOUGH))
        further = self._funds(caller, request, tab, stay)
        if further is not None and not is_ready(found):
            found, further = with_paid(found, further()), None
        if estimate is not None and _is_open(found, stay):
            found = _started(found, self.judgement.start(caller, request.facts, estimate, found))
        hedge = request.options.hedge
        job = Job(
            caller=caller,
            request=request,
            models=found.attempts,
            tab=tab,
            may_spend=may_spend(request.facts, policy),
            hedged=policy.hedge if hedge is None else hedge,
            resting=tuple(item.model for item in found.dropped if item.model.id in found.cooling),
            further=None if further is None else lambda: further().attempts,
        )
        return Course(caller, request, policy, found, job, self._registry.snapshot.version, stay, left)

    def plan(self, caller: Caller, request: ChatRequest, *, enough: int | None = None) -> Plan:
        """The plan alone, as it would be made now."""
        tab = self._tab(caller, request)
        request = request if tab.left is None else request.bounded()
        stay = self._stay(caller, request)
        found = self._planned(caller, request, tab, stay, enough=enough)
        further = self._funds(caller, request, tab, stay)
        return found if further is None else with_paid(found, further())

    async def explain(self, caller: Caller, request: ChatRequest) -> Explanation:
        """What a chat would come to now, with every candidate. Nothing is remembered of it. Raises NotFound."""
        heard, estimate = self.judgement.matters(request), self.judgement.estimated(request)
        request = with_complexity(request, estimate if heard else None)
        await self._affinity.recall(caller, request.facts)
        tab, stay = self._tab(caller, request), self._stay(caller, request)
        request = request.bounded()
        found = self._free(caller, request, tab, self._planned(caller, request, tab, stay, enough=ENOUGH))
        if (further := self._funds(caller, request, tab, stay)) is not None:
            found = with_paid(found, further())
        if not found.attempts and _is_unknown(request.facts, found):
            raise unknown_model(self._registry.snapshot, request.facts.model)
        choice = self.judgement.preview(request.facts, estimate, found) if heard and _is_open(found, stay) else None
        followed = choice is not None and self.judgement.learner.mode == "on"
        found = _started(found, choice if followed else None)
        if len(found.attempts) >= ENOUGH:
            found = completed(found, self._planned(caller, request, tab, stay))
        return Explanation(
            facts=request.facts,
            policy=self.rules.policy(),
            plan=found,
            stay=stay,
            estimate=estimate,
            heard=heard,
            choice=choice,
            followed=followed,
            budgets=() if tab.bound is None else tab.bound.standings,
            left=tab.left,
            nobody=None if found.attempts else await self._nothing(caller, request.facts, found, tab),
        )

    def higher(self, course: Course) -> Callable[[Layer], Sequence[Model]]:
        """The models from a layer on, as far as caller and operator let an answer escalate."""
        options = course.request.options
        highest = options.max_layer or self.rules.policy().max_escalation_layer
        highest = min(highest, course.caller.max_layer or highest)

        def models(lowest: Layer) -> Sequence[Model]:
            if lowest > highest:
                return ()
            return self._between(course, lowest, highest)

        return models

    def _between(self, course: Course, low: Layer, high: Layer) -> Sequence[Model]:
        """The models of these layers that could take the request, whatever it named."""
        wanted = course.request.options.model_copy(update={"min_layer": low, "max_layer": high, "quality": "normal"})
        facts = replace(course.request.facts, model="auto", options=wanted)
        policy = replace(self.rules.policy(), default_layer=low)
        request = replace(course.request, facts=facts)
        return self._planned(course.caller, request, course.job.tab, policy=policy, enough=ENOUGH).attempts

    def judges(self, course: Course, layer: Layer) -> Sequence[Model]:
        """The models that may look at an answer of that layer: of the same, or of a higher one that the request may use."""
        highest = max(layer, course.plan.high) if is_chosen(course.request.facts) else layer
        return self._between(course, layer, highest)

    async def nothing(self, course: Course) -> GatewayError:
        """Why there is no model to ask: an unknown name, a budget, or what speaks against each."""
        return await self._nothing(course.caller, course.request.facts, course.plan, course.job.tab)

    async def _nothing(self, caller: Caller, facts: Facts, found: Plan, tab: Tab) -> GatewayError:
        if _is_unknown(facts, found):
            return unknown_model(self._registry.snapshot, facts.model)
        if _is_forbidden(caller, found):
            return _forbidden(caller)
        costs = [dropped.cost for dropped in found.dropped if dropped.cost is not None]
        return await tab.refusal(min(costs)) if costs else exhausted.nothing_to_try(facts, found)

    def keep(self, course: Course, model: Model, *, escalated: bool) -> None:
        """The conversation is with that model from now on; but not where only a failure, or a name, has led above the layer
        where it begins by itself: that is no reason to pay from then on.
        """
        chosen = course.request.facts.model == "auto"
        if (chosen and escalated) or model.id == course.stay or model.layer <= self._beginning(course):
            self._affinity.keep(course.caller, course.request.facts, course.version, model.id)

    def _beginning(self, course: Course) -> Layer:
        """The layer where the request would have begun with all of its models well, and with none asked for by name."""
        if course.request.facts.model != "auto":
            return course.policy.default_layer
        first = course.job.models[0].layer
        if not course.plan.cooling:
            return first
        begin = layer_range(course.request.facts, course.policy, Permit(max_layer=course.caller.max_layer)).begin
        models = self._registry.snapshot.models
        resting = (models[name].layer for name in course.plan.cooling if name in models)
        return min((first, *(layer for layer in resting if layer >= begin)))

    def _tab(self, caller: Caller, request: ChatRequest) -> Tab:
        options = request.options
        return Tab(Deadline(options.timeout_ms), self._budgets.bound(caller, options.tags), options.budget_usd)

    def _stay(self, caller: Caller, request: ChatRequest) -> str:
        return self._affinity.model_of(caller, request.facts, self._registry.snapshot.version)

    def _planned(
        self,
        caller: Caller,
        request: ChatRequest,
        tab: Tab,
        stay: str = "",
        *,
        policy: Policy | None = None,
        enough: int | None = None,
    ) -> Plan:
        policy, snapshot = policy or self.rules.policy(), self._registry.snapshot
        permit = Permit(
            models=caller.models, max_layer=caller.max_layer, left=tab.left_in(policy.default_layer), stay=stay
        )
        return plan(request.facts, snapshot, policy, self.rules.conditions, permit, enough=enough)

    def _funds(self, caller: Caller, request: ChatRequest, tab: Tab, stay: str) -> Callable[[], Plan] | None:
        """What plans the cheapest paid layer, where `auto` has a budget for it; from then on that binds those calls."""
        policy, permit = self.rules.policy(), Permit(max_layer=caller.max_layer)
        if not is_funded(request.facts, policy, permit):
            return None

        def planned() -> Plan:
            tab.paid = self._budgets.bound(caller, request.options.tags, auto=True)
            wanted = request.bounded()
            return cheapest_paid(
                wanted.facts,
                policy,
                permit,
                lambda facts, policy: self._planned(
                    caller, replace(wanted, facts=facts), tab, stay, policy=policy, enough=ENOUGH
                ),
            )

        return planned

    def _free(self, caller: Caller, request: ChatRequest, tab: Tab, found: Plan) -> Plan:
        """Where the budget is in the way of everything, the free models of the layers below, which it is not in."""
        instead = free_instead(request.facts, self.rules.policy(), found)
        if instead is None:
            return found
        facts, policy = instead
        below = self._planned(caller, replace(request, facts=facts), tab, policy=policy, enough=ENOUGH)
        return below if below.attempts else found


def _is_forbidden(caller: Caller, found: Plan) -> bool:
    """Whether nothing but the bounds of the caller's API key stands in the way."""
    bound = caller.max_layer
    if bound is not None and found.low > bound:
        return True
    return bool(found.dropped) and all(
        dropped.forbidden or (bound is not None and dropped.model.layer > bound) for dropped in found.dropped
    )


def _forbidden(caller: Caller) -> Forbidden:
    limits = {"maxLayer": caller.max_layer, "models": None if caller.models is None else sorted(caller.models)}
    named = [f"layers up to {caller.max_layer}"] if caller.max_layer else []
    named += [f"the models {', '.join(sorted(caller.models)[:10])}"] if caller.models is not None else []
    who = "A local guest" if caller.restricted else "This API key"
    return Forbidden(
        f"{who} may use only {' and '.join(named)}; ask for 'auto', or for a key that allows more.",
        details={name: value for name, value in limits.items() if value is not None},
        code="key_limit",
    )


def _is_open(found: Plan, stay: str) -> bool:
    """Whether it may be asked where to start: not when the conversation says so already."""
    return bool(found.attempts) and found.attempts[0].id != stay


def _started(found: Plan, choice: Choice | None) -> Plan:
    return found if choice is None else replace(found, attempts=starting_at(found.attempts, choice.layer))


def _is_unknown(facts: Facts, found: Plan) -> bool:
    """Whether a plan without attempts is one of a name that nobody has."""
    return not found.dropped and facts.model != "auto" and facts.model not in LAYERS
