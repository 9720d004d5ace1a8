"""Why a chat would go where it would: the plan in full, without calling anyone."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from shared.domain.budgets import BudgetStanding, Period
from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Layer, Model
from shared.domain.money import plain
from shared.domain.routing import Dropped, Facts
from shared.domain.wire import Money, Timestamp, Wire
from shared.operations.operation import Operation
from shared.routing.allowance import allowance
from shared.routing.checks.escalation import expected_most
from shared.routing.complexity.dense import DENSE
from shared.routing.explanation import Explanation
from shared.routing.fitness import fitting
from shared.routing.judgement import expected
from shared.routing.planner import follows_conversation
from shared.routing.policy import Policy

if TYPE_CHECKING:
    from shared.gateway import Gateway

DIGITS = 3


class Conversation(Wire):
    """What is known of the conversation that the chat belongs to."""

    known: bool = Field(description="It has a name, or an answer already, so that the router can stay with its model.")
    answers: int = Field(description="How many answers are in it.")
    stays_with: str | None = Field(description="The model it is with; it is asked first where the plan has it.")


class ComplexityFound(Wire):
    """How hard the request looks."""

    hardness: float | None = Field(
        description="How likely a small model's answer falls short, 0 to 1; null where the words are not known."
    )
    score: float = Field(description="By how much a strong model is expected to do better, 0 to 1.")
    sure: bool = Field(description="Whether the score can be relied on.")
    counts: bool = Field(description="Whether anything depends on it for this request.")
    features: dict[str, float] = Field(description="What it was judged by, each 0 to 1.")


class Learned(Wire):
    """Where the router has learned to start. Without a layer it has no opinion."""

    mode: str = Field(description="`off`, `shadow` (it only watches) or `on`.")
    layer: Layer | None
    reason: str
    followed: bool = Field(description="Whether the plan starts there.")


class RouteFacts(Wire):
    """What routing knows of the request."""

    prompt_tokens: int = Field(description="Estimated.")
    prompt_tokens_at_most: int
    max_tokens: int | None = Field(description="The longest answer that the request allows.")
    needs: list[str] = Field(description="Of vision, tools, jsonSchema, code.")
    conversation: Conversation
    complexity: ComplexityFound


class RoutePolicy(Wire):
    """The operator's policy, as far as it bears on this, and the layers that the request may use by it."""

    lowest_layer: Layer
    highest_layer: Layer
    default_layer: Layer
    auto_escalate: bool
    max_escalation_layer: Layer
    spend_guard: bool
    cross_check: bool
    hedging: bool


class RouteBudget(Wire):
    """A budget that binds the request."""

    id: str
    whose: str
    period: Period
    limit_usd: Money
    left_usd: Money
    resets_at: Timestamp | None


class Candidate(Wire):
    """A model that would be asked. Amounts are US dollars; null when not known."""

    id: str
    provider: str
    api_model_name: str
    layer: Layer
    priority: int
    weight: int
    price_per_1m_input_tokens: Money | None = Field(alias="pricePer1mInputTokens")
    price_per_1m_output_tokens: Money | None = Field(alias="pricePer1mOutputTokens")
    expected_cost_usd: Money | None = Field(description="For an answer of usual length.")
    most_cost_usd: Money | None = Field(
        description="For the longest answer: as long as the request allows, or the money that is left, or 4096 tokens."
    )
    keys: int = Field(description="With how many keys its provider can be called.")
    cooling_seconds: float = Field(description="0 when it can be asked now.")
    cooling_reason: str = Field(description="The code of its last failure.")
    in_trouble_lately: bool = Field(description="It failed in the last minute; among equals it comes last.")
    seconds_p95: float | None = Field(
        alias="secondsP95", description="Within this 95 % of its answers came lately; null while too few are known."
    )


class LeftOut(Wire):
    """A candidate that would not be asked, and why."""

    id: str
    provider: str
    layer: Layer
    reason: str


class RouteExplanation(Wire):
    """Where a chat would go now."""

    summary: str
    model: str = Field(description="As it was asked for.")
    alias_of: str | None = Field(description="The layer or model that an alias has led to from there.")
    first_choice: str | None = Field(description="Id of the model that would be asked first.")
    facts: RouteFacts
    policy: RoutePolicy
    learned: Learned
    budgets: list[RouteBudget]
    left_usd: Money | None = Field(description="What they and the request's own budget leave; null without any.")
    attempts: list[Candidate] = Field(description="In the order in which they would be asked.")
    dropped: list[LeftOut]


async def _explain(gateway: "Gateway", caller: Caller, request: ChatRequest) -> RouteExplanation:
    found = await gateway.router.explain(caller, request)
    attempts = [_candidate(gateway, found, model) for model in found.plan.attempts]
    return RouteExplanation(
        summary=_summary(found, attempts),
        model=found.facts.asked,
        alias_of=found.facts.model if found.facts.alias else None,
        first_choice=attempts[0].id if attempts else None,
        facts=_facts(found),
        policy=_policy(found.policy, found),
        learned=Learned(
            mode=gateway.learner.mode,
            layer=found.choice.layer if found.choice else None,
            reason=found.choice.reason if found.choice else "",
            followed=found.followed,
        ),
        budgets=[_budget(standing) for standing in found.budgets],
        left_usd=found.left,
        attempts=attempts,
        dropped=[_left_out(item) for item in found.plan.dropped],
    )


def _facts(found: Explanation) -> RouteFacts:
    facts, estimate = found.facts, found.estimate
    features = {name: round(value, DIGITS) for name, value in zip(DENSE, estimate.features, strict=True)}
    return RouteFacts(
        prompt_tokens=facts.prompt_tokens,
        prompt_tokens_at_most=facts.prompt_most,
        max_tokens=facts.max_tokens,
        needs=_needs(facts),
        conversation=Conversation(known=follows_conversation(facts), answers=facts.turn, stays_with=found.stay or None),
        complexity=ComplexityFound(
            hardness=None if estimate.hardness is None else round(estimate.hardness, DIGITS),
            score=round(estimate.score, DIGITS),
            sure=estimate.sure,
            counts=found.heard,
            features=features,
        ),
    )


def _needs(facts: Facts) -> list[str]:
    needs = {
        "vision": facts.needs_vision,
        "tools": facts.needs_tools,
        "jsonSchema": facts.needs_schema,
        "code": facts.needs_code,
    }
    return [name for name, needed in needs.items() if needed]


def _policy(policy: Policy, found: Explanation) -> RoutePolicy:
    return RoutePolicy(
        lowest_layer=found.plan.low,
        highest_layer=found.plan.high,
        default_layer=policy.default_layer,
        auto_escalate=policy.auto_escalate,
        max_escalation_layer=policy.max_escalation_layer,
        spend_guard=policy.spend_guard,
        cross_check=policy.cross_check,
        hedging=policy.hedge,
    )


def _budget(standing: BudgetStanding) -> RouteBudget:
    return RouteBudget(
        id=standing.id,
        whose=standing.whose,
        period=standing.period,
        limit_usd=standing.limit_usd,
        left_usd=standing.left_usd,
        resets_at=standing.resets_at,
    )


def _candidate(gateway: "Gateway", found: Explanation, model: Model) -> Candidate:
    facts, health, rates = found.facts, gateway.health, gateway.prices.rates(model)
    keys = gateway.providers.keys(model.provider)
    seconds, key = min((health.cooling(model, key), key) for key in range(keys or 1))
    return Candidate(
        **model.model_dump(include={"id", "provider", "api_model_name", "layer", "priority", "weight"}, by_alias=False),
        price_per_1m_input_tokens=None if rates is None else rates.prompt.base,
        price_per_1m_output_tokens=None if rates is None else rates.completion.base,
        expected_cost_usd=expected(gateway.prices, facts, model),
        most_cost_usd=_most(gateway, found, model),
        keys=keys,
        cooling_seconds=round(seconds, 1),
        cooling_reason=health.reason(model, key) if seconds else "",
        in_trouble_lately=health.rank(model)[0],
        seconds_p95=health.slow_after(model, stream=facts.stream),
    )


def _most(gateway: "Gateway", found: Explanation, model: Model) -> Decimal | None:
    """What the answer may come to; where money is short, that is what its length will be bounded by."""
    rates = gateway.prices.rates(model)
    facts = fitting(found.facts, model)
    allowed = None if rates is None or found.left is None else allowance(facts, rates, found.left)
    return expected_most(gateway.prices, facts, model) if allowed is None else allowed.cost


def _left_out(item: Dropped) -> LeftOut:
    return LeftOut(id=item.model.id, provider=item.model.provider, layer=item.model.layer, reason=item.reason)


def _summary(found: Explanation, attempts: Sequence[Candidate]) -> str:
    """One sentence for a person; where there is nobody to ask, what the chat would be told."""
    if found.nobody is not None:
        return f"Nobody would be asked: {found.nobody.message}"
    first, others = attempts[0], len(attempts) - 1
    why = ", which the conversation is with" if first.id == found.stay else ""
    if first.cooling_seconds:
        why = f", although it is cooling down for another {first.cooling_seconds:g} s, since nobody else is left"
    then = f", then {others} other{'s' if others > 1 else ''} until one answers" if others else ", and nobody after it"
    left_out = f"; {len(found.plan.dropped)} left out" if found.plan.dropped else ""
    alias = f"'{found.facts.alias}' is an alias of {found.facts.model}: " if found.facts.alias else ""
    return f"{alias}{first.id} in {first.layer} would be asked first{why} ({_cost(first)}){then}{left_out}."


def _cost(first: Candidate) -> str:
    if first.expected_cost_usd is None or first.most_cost_usd is None:
        return "its price is not known"
    if not first.most_cost_usd:
        return "free"
    return f"about ${plain(_short(first.expected_cost_usd))}, at most ${plain(_short(first.most_cost_usd))}"


def _short(amount: Decimal) -> Decimal:
    return round(amount, 6)


EXPLAIN_ROUTE = Operation(
    name="explain_route",
    summary="Show where a chat would go, what it would cost and why others are left out, without calling anyone",
    scope="chat",
    effect="read",
    request=ChatRequest,
    result=RouteExplanation,
    run=_explain,
)
