"""What an answer costs, in US dollars. Pure arithmetic on Decimals.

The registry's price decides. Where the public price list (the package genai-prices) has the same price for the
model, its finer rates are used too: cached input, cache writes, and tiers for long prompts.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.domain.models import Model
from shared.domain.usage import Usage

MILLION = Decimal(1_000_000)
THOUSAND = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars for a million tokens; `tiers` are (prompt tokens, price) above which another price holds for all."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, prompt_tokens: int) -> Decimal:
        """The price for a prompt of that length."""
        price = self.base
        for start, tier_price in self.tiers:
            if prompt_tokens > start:
                price = tier_price
        return price


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one model."""

    prompt: Rate
    completion: Rate
    cached: Rate | None = None
    cache_write: Rate | None = None

    def cost(self, usage: Usage) -> Decimal:
        """What that usage costs."""
        size = usage.prompt
        prompt = self.prompt.at(size)
        cached = self.cached.at(size) if self.cached else prompt
        written = self.cache_write.at(size) if self.cache_write else prompt
        plain = max(usage.prompt - usage.cached - usage.cache_write, 0)
        total = plain * prompt + usage.cached * cached + usage.cache_write * written
        return (total + usage.completion * self.completion.at(size)) / MILLION

    @property
    def free(self) -> bool:
        """Whether nothing is billed at all."""
        return not (self.prompt.base or self.completion.base)


class PriceBook:
    """The rates of the registry's models, worked out once for each model."""

    def __init__(self) -> None:
        self._rates: dict[str, tuple[Model, Rates | None]] = {}

    def rates(self, model: Model) -> Rates | None:
        """The model's rates; None when its price is not known."""
        found = self._rates.get(model.id)
        if found is None or found[0] is not model:
            found = (model, _rates(model))
            self._rates[model.id] = found
        return found[1]

    def cost(self, model: Model, usage: Usage) -> Decimal | None:
        """What an answer of that model costs; None when its price is not known."""
        rates = self.rates(model)
        return None if rates is None else rates.cost(usage)


def _rates(model: Model) -> Rates | None:
    prompt, completion = model.price_per_1k_input_tokens, model.price_per_1k_output_tokens
    listed = None if prompt == 0 and completion == 0 else _listed(model.provider, model.api_model_name)
    if prompt is None or completion is None:
        return listed
    if listed and listed.prompt.base == prompt * THOUSAND and listed.completion.base == completion * THOUSAND:
        return listed
    return Rates(Rate(prompt * THOUSAND), Rate(completion * THOUSAND))


def _listed(provider: str, name: str) -> Rates | None:
    """The public list's rates for a model, if it has them."""
    from genai_prices import Usage as ListUsage
    from genai_prices import calc_price

    try:
        found = calc_price(ListUsage(input_tokens=1, output_tokens=1), name, provider_id=provider).model_price
    except (LookupError, ValueError):
        return None
    prompt, completion = _rate(found.input_mtok), _rate(found.output_mtok)
    if prompt is None or completion is None:
        return None
    return Rates(prompt, completion, _rate(found.cache_read_mtok), _rate(found.cache_write_mtok))


def _rate(value: Any) -> Rate | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return Rate(value)
    return Rate(value.base, tuple((tier.start, tier.price) for tier in value.tiers))
