"""From a caller's chat to its answer: the plan, the models that are asked, and what is done with what they say."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.measures import SECONDS, Distribution
from shared.domain.models import Model
from shared.domain.routing import Plan
from shared.errors import GatewayError, NotFound, Unsupported
from shared.routing.answers import Answer, EventStream
from shared.routing.as_stream import WholeAsStream
from shared.routing.caching.response_cache import ResponseCache
from shared.routing.checks.agreement import asked_both
from shared.routing.checks.cross_check import cross_checked, self_checked
from shared.routing.checks.escalation import escalated
from shared.routing.course import Course
from shared.routing.executor import Executor
from shared.routing.explanation import Explanation
from shared.routing.fitness import is_chosen
from shared.routing.learning.rewards import Outcome
from shared.routing.naming import Naming
from shared.routing.planning import Planning
from shared.routing.replay.decision import Decision, DecisionLog
from shared.routing.teaching import lessons
from shared.usage.pricing import PriceBook


class Router:
    """Answers chats. Every door to a model goes through here."""

    def __init__(
        self,
        *,
        planning: Planning,
        naming: Naming,
        executor: Executor,
        prices: PriceBook,
        cache: ResponseCache,
        decisions: DecisionLog,
    ) -> None:
        self._planning = planning
        self._naming = naming
        self._judgement = planning.judgement
        self._rules = planning.rules
        self._executor = executor
        self._prices = prices
        self._cache = cache
        self._decisions = decisions
        self.outcomes: Counter[str] = Counter()
        """How many requests ended in which way, but for those that the cache answered."""
        self.durations = {stream: Distribution(SECONDS) for stream in (False, True)}
        """Seconds to the whole answers and to the ends of the streams that succeeded, those of the cache among them."""

    def complete(self, caller: Caller, request: ChatRequest) -> Awaitable[Answer]:
        """The whole answer. Raises NotFound for an unknown model, Unavailable when no model is left, BudgetExceeded,
        and UpstreamError and its kin when every attempt failed.
        """
        if (name := request.facts.model) != "auto" and name not in self._naming.registry.snapshot.models:
            request = self._naming.resolved(caller, request)
        return self._cache.complete(caller, request, lambda asked: self._answered(caller, asked))

    @asynccontextmanager
    async def stream(self, caller: Caller, request: ChatRequest) -> AsyncIterator[EventStream]:
        """The answer as it comes. What can only be judged whole is sent as a stream once it is judged."""
        if (name := request.facts.model) != "auto" and name not in self._naming.registry.snapshot.models:
            request = self._naming.resolved(caller, request)
        async with self._cache.stream(caller, request, lambda asked: self._streamed(caller, asked)) as events:
            yield events

    def plan(self, caller: Caller, request: ChatRequest, *, enough: int | None = None) -> Plan:
        """The plan as it would be made now; nobody is asked."""
        return self._planning.plan(caller, self._naming.resolved(caller, request), enough=enough)

    async def explain(self, caller: Caller, request: ChatRequest) -> Explanation:
        """What a chat would come to now, with every candidate. Raises NotFound for an unknown model, Unsupported."""
        self._refuse_what_is_off(request)
        return await self._planning.explain(caller, self._naming.resolved(caller, request))

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
            cost = None if answer.route.cost is None else float(answer.route.cost)
            own = answer.payload["usage"].get("cost")
            answer.payload["gateway"] = {**answer.route.notes, "costUsd": cost, "answerCostUsd": own}
            answer.payload["usage"]["cost"] = cost
            answer.route.attempts = len(course.job.tab.calls)
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
                    self._judgement.learn(course.caller, model.layer, Outcome(ended=outcome))
        except GatewayError as error:
            outcome = error.code
            raise
        finally:
            self._ended(course, model, outcome)

    async def _begun(self, caller: Caller, request: ChatRequest) -> Course:
        until = time.monotonic() + self._executor.money_patience
        while True:
            course = await self._planning.course(caller, request)
            if course.job.models:
                return course
            error = await self._planning.nothing(course)
            if not await course.job.tab.freed(error, until):
                break
        if not isinstance(error, NotFound):
            self._ended(course, None, error.code)
        raise error

    async def _judged(self, course: Course) -> Answer:
        """The answer, after everything that was asked to be done with it."""
        options, job = course.request.options, course.job
        if (options.agreement or 0) > 1:
            answer = await asked_both(self._executor, self._prices, job)
        else:
            answer = await self._executor.complete(job)
        if options.self_check:
            answer = await self_checked(self._executor, job, answer)
        first = answer.route.model
        if self._escalates(course.request):
            answer = await escalated(self._executor, self._prices, job, answer, self._planning.higher(course))
        last = answer.route.model
        if options.cross_check:
            answer = await cross_checked(self._executor, job, answer, self._planning.judges(course, last.layer))
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
            automatic = self._rules.policy().auto_escalate and is_chosen(request.facts)
            return automatic or (request.options.agreement or 0) > 1
        return asked

    def _refuse_what_is_off(self, request: ChatRequest) -> None:
        """An option that would change the answer must not be ignored in silence."""
        if request.options.cross_check and not self._rules.policy().cross_check:
            raise Unsupported("Cross-checks are turned off here (enableCrossCheck); leave 'gateway.crossCheck' out.")

    def _ended(self, course: Course, model: Model | None, outcome: str) -> None:
        """The request is over, however that came."""
        self.outcomes[outcome] += 1
        if model is not None and outcome == "ok":
            self._planning.keep(course, model, escalated="escalation" in course.notes)
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
