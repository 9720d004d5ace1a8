"""What speaks against a model for one request: permission, ability, the spend guard, money. Pure."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from shared.domain.models import LAYERS, Model
from shared.domain.routing import Dropped, Facts
from shared.routing.allowance import FEWEST_TOKENS, allowance, most
from shared.routing.policy import FREE_LAYER, Permit, Policy, may_spend
from shared.usage.pricing import Rates

NO_PRICE = (
    "its price is not known, and the request has a budget; set pricePer1kInputTokens and pricePer1kOutputTokens with "
    "PUT /v1/models/{id} (0 where it bills nothing)"
)

PROMPT_MARGIN = 125
"""Per cent of the estimated prompt that are kept free for it, since it is an estimate."""


class Fitness:
    """Looks at models for one request. `rates` are None, and `may_bill` is asked, where a price is not known.

    What a model can do is for choosing one. Of a model that was asked for by name its provider knows better.
    """

    __slots__ = ("_chosen", "_facts", "_guarded", "_may_bill", "_permit", "_rates")

    def __init__(
        self,
        facts: Facts,
        policy: Policy,
        permit: Permit,
        *,
        rates: Callable[[Model], Rates | None],
        may_bill: Callable[[Model], bool],
    ) -> None:
        self._facts = facts
        self._permit = permit
        self._rates = rates
        self._may_bill = may_bill
        self._chosen = is_chosen(facts)
        self._guarded = not may_spend(facts, policy)

    def against(self, model: Model) -> Dropped | None:
        """The first thing that speaks against a model; None when nothing does."""
        permit = self._permit
        if permit.models is not None and not is_permitted(model, permit):
            return Dropped(model, "these credentials may not use it", unfit=True, forbidden=True)
        if self._chosen and (unable := _inability(model, self._facts)) is not None:
            return unable
        if self._guarded and model.layer == FREE_LAYER and (reason := self._bill(model)):
            return Dropped(model, reason, unfit=True)
        return None if permit.left is None else self._over_budget(model, permit.left)

    def _bill(self, model: Model) -> str:
        """The free layer is free: what bills there is not called without leave, whatever name it goes by."""
        rates = self._rates(model)
        if not (self._may_bill(model) if rates is None else not rates.free):
            return ""
        cost = "its price is not known" if rates is None else f"it bills ${rates.completion.base:f} per million tokens"
        return (
            f"{cost}, but its layer {FREE_LAYER} is free: move it to another layer, or allow it with gateway.allowPaid"
        )

    def _over_budget(self, model: Model, left: Decimal) -> Dropped | None:
        rates = self._rates(model)
        if rates is None:
            return Dropped(model, NO_PRICE, unfit=True)
        facts = fitting(self._facts, model)
        if allowance(facts, rates, left) is not None:
            return None
        cost = most(facts, rates, facts.max_tokens or FEWEST_TOKENS)
        reason = f"it may cost up to ${cost:.6f}, and its budget leaves ${left:.6f}"
        return Dropped(model, reason, unfit=True, cost=cost)


def fitting(facts: Facts, model: Model) -> Facts:
    """Return the facts with an answer that fits the model's context window beside the prompt, as it will be asked for.

    A model that was asked for by name is asked for as much as the caller wants.
    """
    window = model.context_window
    if not window or not facts.max_tokens or not is_chosen(facts) or facts.prompt_tokens + facts.max_tokens <= window:
        return facts
    tokens = max(FEWEST_TOKENS, window - facts.prompt_tokens * PROMPT_MARGIN // 100)
    return facts if tokens >= facts.max_tokens else replace(facts, max_tokens=tokens)


def is_permitted(model: Model, permit: Permit) -> bool:
    """Return whether the caller's credentials may use a model, whatever its layer."""
    return permit.models is None or not permit.models.isdisjoint((model.id, model.api_model_name, model.provider))


def is_chosen(facts: Facts) -> bool:
    """Whether the model is for us to choose, by `auto` or inside a layer, and was not asked for by name."""
    return facts.model == "auto" or facts.model in LAYERS


def is_doubtful(model: Model, facts: Facts) -> bool:
    """Return whether it is not known if a model can do what the request needs."""
    able = model.capabilities
    return (facts.needs_tools and able.tools is None) or (facts.needs_vision and able.vision is None)


def _inability(model: Model, facts: Facts) -> Dropped | None:
    """A long `max_tokens` speaks against no model: it is lowered to what fits beside the prompt."""
    if facts.needs_vision and model.capabilities.vision is False:
        return Dropped(model, "it cannot see images", unfit=True)
    if facts.needs_tools and model.capabilities.tools is False:
        return Dropped(model, "it cannot call tools", unfit=True)
    if facts.needs_schema and model.capabilities.json_schema is False:
        return Dropped(model, "it cannot keep to a JSON schema", unfit=True)
    window = model.context_window
    if window and facts.prompt_tokens + min(facts.max_tokens or 0, FEWEST_TOKENS) > window:
        return Dropped(model, f"its context window of {window} tokens is too small", unfit=True, window=window)
    return None
