"""From a caller's chat to its answer: the plan, the models that are asked, and what is done with what they say."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Layer, Model
from shared.domain.routing import Facts, Plan
from shared.domain.usage import Usage
from shared.errors import GatewayError, NotFound, Unsupported
from shared.registry.registry import Registry, unknown_model
from shared.routing import exhausted
from shared.routing.affinity import Affinity
from shared.routing.agreement import asked_both
from shared.routing.answers import Answer, EventStream
from shared.routing.as_stream import WholeAsStream
from shared.routing.cross_check import cross_checked, self_checked
from shared.routing.decision import Decision, DecisionLog
from shared.routing.escalation import escalated
from shared.routing.executor import Executor
from shared.routing.explanation import Explanation, completed
from shared.routing.job import Deadline, Job, Tab
from shared.routing.judgement import Judgement, starting_at, with_complexity
from shared.routing.planner import Conditions, Permit, Policy, may_spend, plan
from shared.routing.response_cache import ResponseCache
from shared.routing.teaching import lesson_of_stream, lessons
from shared.usage.budgets import Budgets
from shared.usage.pricing import PriceBook

ENOUGH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What routing goes by besides the request: the operator's policy, and the world as it is."""

    policy: Callable[[], Policy]
    conditions: Conditions
    clock: Callable[[], datetime]


@dataclass(slots=True)
class _Course:
    """One request from its plan to its end."""

    caller: Caller
    request: ChatRequest
    policy: Policy
    plan: Plan
    job: Job
    version: int
    stay: str
    left: Decimal | None
    usage: Usage | None = None
    notes: dict[str, Any] = field(default_factory=dict)


class Router:
    """Answers chats. Every door to a model goes through here."""

    def __init__(
        self,
        *,
        registry: Registry,
        executor: Executor,
        rules: Rules,
        prices: PriceBook,
        budgets: Budgets,
        judgement: Judgement,
        cache: ResponseCache,
        affinity: Affinity,
        decisions: DecisionLog,
    ) -> None:
        self._registry = registry
        self._executor = executor
        self._rules = rules
        self._prices = prices
        self._budgets = budgets
        self._judgement = judgement
        self._cache = cache
        self._decisions = decisions
        self._affinity = affinity

    async def complete(self, caller: Caller, request: ChatRequest) -> Answer:
        """The whole answer. Raises NotFound for an unknown model, Unavailable when no model is left, BudgetExceeded,
        and UpstreamError and its kin when every attempt failed.
        """
        return await self._cache.complete(caller, request, lambda asked: self._answered(caller, asked))

    @asynccontextmanager
    async def stream(self, caller: Caller, request: ChatRequest) -> AsyncIterator[EventStream]:
        """The answer as it comes. What can only be judged whole is sent as a stream once it is judged."""
        async with self._cache.stream(caller, request, lambda asked: self._streamed(caller, asked)) as events:
            yield events

    def plan(self, caller: Caller, request: ChatRequest, *, enough: int | None = None) -> Plan:
        """The plan as it would be made now; nobody is asked."""
        return self._planned(caller, request, self._tab(caller, request), self._stay(caller, request), enough=enough)

    def explain(self, caller: Caller, request: ChatRequest) -> Explanation:
        """What a chat would come to now, with every candidate. Nobody is asked, and nothing is remembered of it.

        Raises NotFound for an unknown model, Unsupported.
        """
        self._refuse_what_is_off(request)
        heard, estimate = self._judgement.matters(request), self._judgement.estimated(request)
        request = with_complexity(request, estimate if heard else None)
        tab, stay = self._tab(caller, request), self._stay(caller, request)
        found = self._planned(caller, request, tab, stay, enough=ENOUGH)
        if not found.attempts and _is_unknown(request.facts, found):
            raise unknown_model(self._registry.snapshot, request.facts.model)
        open_to = heard and bool(found.attempts) and found.attempts[0].id != stay
        choice = self._judgement.preview(request.facts, estimate, found) if open_to else None
        followed = choice is not None and self._judgement.learner.mode == "on"
        if choice is not None and followed:
            found = replace(found, attempts=starting_at(found.attempts, choice.layer))
        if len(found.attempts) >= ENOUGH:
            found = completed(found, self._planned(caller, request, tab, stay))
        return Explanation(
            facts=request.facts,
            policy=self._rules.policy(),
            plan=found,
            stay=stay,
            estimate=estimate,
            heard=heard,
            choice=choice,
            followed=followed,
            budgets=() if tab.bound is None else tab.bound.standings,
            left=tab.left,
        )

    async def _answered(self, caller: Caller, request: ChatRequest) -> Answer:
        self._refuse_what_is_off(request)
        course = await self._begun(caller, request)
        try:
            answer = await self._judged(course)
        except BaseException as error:
            self._ended(course, None, error.code if isinstance(error, GatewayError) else "cancelled")
            raise
        answer.route.cost = course.job.tab.total
        if answer.route.notes:
            answer.payload["gateway"] = {**answer.route.notes, "costUsd": _dollars(answer)}
        course.usage, course.notes = answer.usage, answer.route.notes
        self._ended(course, answer.route.model, "ok")
        return answer

    @asynccontextmanager
    async def _streamed(self, caller: Caller, request: ChatRequest) -> AsyncIterator[EventStream]:
        if self._judges(request, streaming=True):
            yield WholeAsStream(await self._answered(caller, request.whole()), include_usage=request.include_usage)
            return
        course = await self._begun(caller, request)
        outcome, model = "cancelled", None
        try:
            async with self._executor.stream(course.job) as answer:
                try:
                    yield answer
                finally:
                    outcome, model, course.usage = answer.outcome, answer.route.model, answer.usage
                    lesson = lesson_of_stream(course.job, outcome, answer.finish_reason)
                    self._judgement.learn(course.caller, model.layer, lesson)
        except GatewayError as error:
            outcome = error.code
            raise
        finally:
            self._ended(course, model, outcome)

    async def _begun(self, caller: Caller, request: ChatRequest) -> _Course:
        estimate = self._judgement.estimate(request)
        request = with_complexity(request, estimate)
        await self._affinity.recall(caller, request.facts)
        tab, stay = self._tab(caller, request), self._stay(caller, request)
        policy, left = self._rules.policy(), tab.left
        found = self._planned(caller, request, tab, stay, enough=ENOUGH)
        models = found.attempts
        if models and estimate is not None and models[0].id != stay:
            choice = self._judgement.start(caller, request.facts, estimate, found)
            models = models if choice is None else starting_at(models, choice.layer)
        hedge = request.options.hedge
        job = Job(
            caller=caller,
            request=request,
            models=models,
            tab=tab,
            may_spend=may_spend(request.facts, policy),
            hedged=policy.hedge if hedge is None else hedge,
            resting=tuple(item.model for item in found.dropped if item.model.id in found.cooling),
        )
        course = _Course(caller, request, policy, found, job, self._registry.snapshot.version, stay, left)
        if not models:
            error = await self._nothing(request.facts, found, tab)
            if not isinstance(error, NotFound):
                self._ended(course, None, error.code)
            raise error
        return course

    def _tab(self, caller: Caller, request: ChatRequest) -> Tab:
        options = request.options
        return Tab(Deadline(options.timeout_ms), self._budgets.bound(caller, options.tags), options.budget_usd)

    def _stay(self, caller: Caller, request: ChatRequest) -> str:
        return self._affinity.model_of(caller, request.facts, self._registry.snapshot.version)

    def _planned(
        self, caller: Caller, request: ChatRequest, tab: Tab, stay: str = "", *, enough: int | None = None
    ) -> Plan:
        permit = Permit(models=caller.models, max_layer=caller.max_layer, left=tab.left, stay=stay)
        policy, snapshot = self._rules.policy(), self._registry.snapshot
        return plan(request.facts, snapshot, policy, self._rules.conditions, permit, enough=enough)

    async def _nothing(self, facts: Facts, found: Plan, tab: Tab) -> GatewayError:
        if _is_unknown(facts, found):
            return unknown_model(self._registry.snapshot, facts.model)
        costs = [dropped.cost for dropped in found.dropped if dropped.cost is not None]
        return await tab.refusal(min(costs)) if costs else exhausted.nothing_to_try(facts, found)

    async def _judged(self, course: _Course) -> Answer:
        """The answer, after everything that was asked to be done with it."""
        options, job = course.request.options, course.job
        if (options.agreement or 0) > 1:
            answer, _ = await asked_both(self._executor, job)
        else:
            answer = await self._executor.complete(job)
        if options.self_check:
            answer = await self_checked(self._executor, job, answer)
        first = answer.route.model
        if self._escalates(course.request):
            answer = await escalated(self._executor, self._prices, job, answer, self._higher(course))
        last = answer.route.model
        if options.cross_check:
            answer = await cross_checked(self._executor, job, answer)
        if self._judgement.learner.mode != "off":
            for layer, outcome in lessons(job, answer, first=first, last=last):
                self._judgement.learn(course.caller, layer, outcome)
        return answer

    def _judges(self, request: ChatRequest, *, streaming: bool) -> bool:
        """Whether more is to be done with an answer than to pass it on."""
        options = request.options
        asked = options.cross_check or options.self_check or (options.agreement or 0) > 1
        return bool(asked or (options.escalate if streaming else self._escalates(request)))

    def _escalates(self, request: ChatRequest) -> bool:
        asked = request.options.escalate
        if asked is None:
            return self._rules.policy().auto_escalate or (request.options.agreement or 0) > 1
        return asked

    def _higher(self, course: _Course) -> Callable[[Layer], Sequence[Model]]:
        """The models from a layer on, as far as caller and operator let an answer escalate."""
        options, policy = course.request.options, self._rules.policy()
        highest = options.max_layer or policy.max_escalation_layer

        def models(lowest: Layer) -> Sequence[Model]:
            if lowest > highest:
                return ()
            wanted = options.model_copy(update={"min_layer": lowest, "max_layer": highest})
            facts = replace(course.request.facts, model="auto", options=wanted)
            return self._planned(course.caller, replace(course.request, facts=facts), course.job.tab).attempts

        return models

    def _refuse_what_is_off(self, request: ChatRequest) -> None:
        """An option that would change the answer must not be ignored in silence."""
        if request.options.cross_check and not self._rules.policy().cross_check:
            raise Unsupported("Cross-checks are turned off here (enableCrossCheck); leave 'gateway.crossCheck' out.")

    def _ended(self, course: _Course, model: Model | None, outcome: str) -> None:
        """The request is over, however that came."""
        if model is not None and outcome == "ok":
            self._affinity.keep(course.caller, course.request.facts, course.version, model.id)
        self._decisions.record(
            Decision(
                at=self._rules.clock(),
                caller=course.caller,
                request=course.request if self._decisions.takes_text else None,
                facts=course.request.facts,
                policy=course.policy,
                plan=course.plan,
                stay=course.stay,
                start=course.job.models[0].layer if course.job.models else None,
                left=course.left,
                calls=course.job.tab.calls,
                outcome=outcome,
                model=model,
                usage=course.usage,
                notes=course.notes,
                lesson=self._judgement.lesson(course.caller),
            )
        )


def _is_unknown(facts: Facts, found: Plan) -> bool:
    """Whether a plan without attempts is one of a name that nobody has."""
    return not found.dropped and facts.model != "auto" and facts.model not in LAYERS


def _dollars(answer: Answer) -> float | None:
    return None if answer.route.cost is None else float(answer.route.cost)
