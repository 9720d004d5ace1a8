"""The plan of each request, from everything that bears on it just now: registry, policy, budgets, conversation, estimate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import Facts, Plan
from shared.errors import GatewayError
from shared.registry.registry import Registry, unknown_model
from shared.routing import exhausted
from shared.routing.affinity import Affinity
from shared.routing.course import Course
from shared.routing.explanation import Explanation, completed
from shared.routing.job import Deadline, Job, Tab
from shared.routing.judgement import Judgement, starting_at, with_complexity
from shared.routing.learning.choice import Choice
from shared.routing.planner import Conditions, Permit, Policy, may_spend, plan
from shared.usage.budgets import Budgets

ENOUGH = 32


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
        found = self._planned(caller, request, tab, stay, enough=ENOUGH)
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
        )
        return Course(caller, request, policy, found, job, self._registry.snapshot.version, stay, left)

    def plan(self, caller: Caller, request: ChatRequest, *, enough: int | None = None) -> Plan:
        """The plan alone, as it would be made now."""
        return self._planned(caller, request, self._tab(caller, request), self._stay(caller, request), enough=enough)

    def explain(self, caller: Caller, request: ChatRequest) -> Explanation:
        """What a chat would come to now, with every candidate. Nothing is remembered of it. Raises NotFound."""
        heard, estimate = self.judgement.matters(request), self.judgement.estimated(request)
        request = with_complexity(request, estimate if heard else None)
        tab, stay = self._tab(caller, request), self._stay(caller, request)
        found = self._planned(caller, request, tab, stay, enough=ENOUGH)
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
        )

    def higher(self, course: Course) -> Callable[[Layer], Sequence[Model]]:
        """The models from a layer on, as far as caller and operator let an answer escalate."""
        options = course.request.options
        highest = options.max_layer or self.rules.policy().max_escalation_layer

        def models(lowest: Layer) -> Sequence[Model]:
            if lowest > highest:
                return ()
            wanted = options.model_copy(update={"min_layer": lowest, "max_layer": highest})
            facts = replace(course.request.facts, model="auto", options=wanted)
            return self._planned(course.caller, replace(course.request, facts=facts), course.job.tab).attempts

        return models

    async def nothing(self, course: Course) -> GatewayError:
        """Why there is no model to ask: an unknown name, a budget, or what speaks against each."""
        facts, found = course.request.facts, course.plan
        if _is_unknown(facts, found):
            return unknown_model(self._registry.snapshot, facts.model)
        costs = [dropped.cost for dropped in found.dropped if dropped.cost is not None]
        return await course.job.tab.refusal(min(costs)) if costs else exhausted.nothing_to_try(facts, found)

    def keep(self, course: Course, model: Model) -> None:
        """The conversation is with that model from now on."""
        self._affinity.keep(course.caller, course.request.facts, course.version, model.id)

    def _tab(self, caller: Caller, request: ChatRequest) -> Tab:
        options = request.options
        return Tab(Deadline(options.timeout_ms), self._budgets.bound(caller, options.tags), options.budget_usd)

    def _stay(self, caller: Caller, request: ChatRequest) -> str:
        return self._affinity.model_of(caller, request.facts, self._registry.snapshot.version)

    def _planned(
        self, caller: Caller, request: ChatRequest, tab: Tab, stay: str = "", *, enough: int | None = None
    ) -> Plan:
        permit = Permit(models=caller.models, max_layer=caller.max_layer, left=tab.left, stay=stay)
        policy, snapshot = self.rules.policy(), self._registry.snapshot
        return plan(request.facts, snapshot, policy, self.rules.conditions, permit, enough=enough)


def _is_open(found: Plan, stay: str) -> bool:
    """Whether it may be asked where to start: not when the conversation says so already."""
    return bool(found.attempts) and found.attempts[0].id != stay


def _started(found: Plan, choice: Choice | None) -> Plan:
    return found if choice is None else replace(found, attempts=starting_at(found.attempts, choice.layer))


def _is_unknown(facts: Facts, found: Plan) -> bool:
    """Whether a plan without attempts is one of a name that nobody has."""
    return not found.dropped and facts.model != "auto" and facts.model not in LAYERS
