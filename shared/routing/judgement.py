"""How hard a request looks and where it had better start: the estimate, and what the router has learned."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Layer, Model
from shared.domain.routing import Facts, Plan
from shared.domain.usage import Usage
from shared.routing.complexity.estimate import Complexity, Estimate
from shared.routing.complexity.judged import judged_text
from shared.routing.learning.choice import Choice
from shared.routing.learning.learner import Learner
from shared.routing.learning.rewards import Outcome
from shared.usage.pricing import PriceBook

USUAL_COMPLETION = 500


class Judgement:
    """The estimate is made only where something depends on it; its weights are loaded with the first."""

    def __init__(self, learner: Learner, prices: PriceBook, load: Callable[[], Complexity] = Complexity.load) -> None:
        self.learner = learner
        self._prices = prices
        self._load = load

    def estimate(self, request: ChatRequest) -> Estimate | None:
        """How hard the request looks; None when nothing depends on it."""
        return self.estimated(request) if self.matters(request) else None

    def matters(self, request: ChatRequest) -> bool:
        """Whether it depends on the estimate where the request starts, or what the router learns from it."""
        facts = request.facts
        return facts.model == "auto" and (facts.options.quality == "high" or self.learner.mode != "off")

    def estimated(self, request: ChatRequest) -> Estimate:
        """How hard the request looks."""
        return self._complexity.estimate(judged_text(request.payload["messages"]))

    def start(self, caller: Caller, facts: Facts, estimate: Estimate, plan: Plan) -> Choice | None:
        """The layer of the plan to start at; None to start where the plan does."""
        if not plan.attempts:
            return None
        costs, usual = self._costs(facts, plan), plan.attempts[0].layer
        return self.learner.start(caller, facts, estimate=estimate, usual=usual, costs=costs)

    def preview(self, facts: Facts, estimate: Estimate, plan: Plan) -> Choice | None:
        """What the learner would choose, whether it is heard or only watches; nothing is remembered of it."""
        return self.learner.preview(facts, estimate=estimate, costs=self._costs(facts, plan))

    def learn(self, caller: Caller, layer: Layer, outcome: Outcome) -> None:
        """Take in what came of an answer of that layer."""
        if self.learner.mode != "off":
            self.learner.outcome(caller, layer, outcome)

    def lesson(self, caller: Caller) -> Mapping[str, Any] | None:
        """What a vote that comes late will need."""
        return None if self.learner.mode == "off" else self.learner.kept(caller)

    def _costs(self, facts: Facts, plan: Plan) -> dict[Layer, Decimal | None]:
        """What an answer is expected to cost in each layer of the plan, by the first of its models."""
        firsts: dict[Layer, Model] = {}
        for model in plan.attempts:
            firsts.setdefault(model.layer, model)
        return {layer: expected(self._prices, facts, model) for layer, model in firsts.items()}

    @cached_property
    def _complexity(self) -> Complexity:
        return self._load()


def expected(prices: PriceBook, facts: Facts, model: Model) -> Decimal | None:
    """What an answer of that model usually comes to in US dollars; None when its price is not known."""
    completion = min(facts.max_tokens or USUAL_COMPLETION, USUAL_COMPLETION) * facts.choices
    return prices.cost(model, Usage(prompt=facts.prompt_tokens, completion=completion))


def with_complexity(request: ChatRequest, estimate: Estimate | None) -> ChatRequest:
    """The request with how hard it looks, where the estimate can tell."""
    if estimate is None or estimate.hardness is None:
        return request
    return replace(request, facts=replace(request.facts, complexity=estimate.hardness))


def starting_at(models: Iterable[Model], layer: Layer) -> tuple[Model, ...]:
    """The same models, those below a layer last."""
    return tuple(sorted(models, key=lambda model: model.layer < layer))
