"""What an answer costs, in US dollars.

The registry's price decides. Where the public list has the same price for the model, its finer rates are used too:
what the cache gives and takes, audio, images, web searches, service tiers, and tiers for long prompts.
A price that is not known is None, never 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.usage.price_list import Listed, listed
from shared.usage.rates import Rate, Rates

__all__ = ("PriceBook", "Rate", "Rates", "billed")

THOUSAND = Decimal(1_000)
LARGEST_BILL = 1_000_000
SPAN_SECONDS = 1800
"""Prices that depend on the time of day change at half hours."""

TIERS = frozenset({"flex", "priority", "fast"})
"""The service tiers that the list may have prices of their own for."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Rates as they were looked up. `span` is the half hour they hold in; None for ever."""

    model: Model
    rates: Rates | None
    span: int | None


class PriceBook:
    """The rates of the registry's models, worked out once for each model and service tier."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._entries: dict[tuple[str, str], _Entry] = {}

    def __len__(self) -> int:
        """How many have been looked up."""
        return len(self._entries)

    def rates(self, model: Model, tier: str = "") -> Rates | None:
        """The model's rates; None when its price is not known."""
        tier = tier if tier in TIERS else ""  # callers may name any, and each would be kept
        entry = self._entries.get((model.id, tier))
        if entry is None or entry.model is not model or not self._holds(entry):
            entry = self._entries[model.id, tier] = self._looked_up(entry, model, tier)
        return entry.rates

    def look_up(self, models: Iterable[Model]) -> None:
        """Look up those that are new or priced otherwise now, so that no request has to; may run in any thread."""
        for model in models:
            self.rates(model)

    def _looked_up(self, known: _Entry | None, model: Model, tier: str) -> _Entry:
        """A registry that was read again holds the same models as other objects."""
        if known is not None and _priced(known.model) == _priced(model) and self._holds(known):
            return replace(known, model=model)
        return _entry(model, tier, self._clock())

    def _holds(self, entry: _Entry) -> bool:
        return entry.span is None or entry.span == _span(self._clock())

    def cost(self, model: Model, usage: Usage) -> Decimal | None:
        """What an answer of that model costs; None when its price is not known."""
        rates = self.rates(model, usage.tier)
        return rates.cost(usage) if rates is not None and rates.cover(usage) else None


def billed(usage: Any) -> Decimal | None:
    """What a provider says in a `usage` object that it bills, in US dollars; None when it does not say.

    OpenRouter's cost leaves out what goes to the caller's own account at the vendor, where a key of theirs was used.
    """
    if not isinstance(usage, dict) or (cost := _dollars(usage.get("cost"))) is None:
        return None
    details = usage.get("cost_details")
    upstream = _dollars(details.get("upstream_inference_cost")) if isinstance(details, dict) else None
    return cost + upstream if usage.get("is_byok") is True and upstream else cost


def _dollars(value: Any) -> Decimal | None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(str(value)) if numeric and 0 <= value <= LARGEST_BILL else None


def _entry(model: Model, tier: str, at: datetime) -> _Entry:
    own = _own(model)
    found = None if own and own.free else listed(model.provider, model.api_model_name, at)
    rates = found.rates if found and (own is None or _same(own, found)) else own
    if found and rates is found.rates and tier:
        in_tier = listed(model.provider, model.api_model_name, at, tier=tier)
        rates = in_tier.rates if in_tier else rates
    return _Entry(model, rates, _span(at) if found and found.passing else None)


def _priced(model: Model) -> tuple[str, str, Decimal | None, Decimal | None]:
    """All that its rates follow from."""
    return model.provider, model.api_model_name, model.price_per_1k_input_tokens, model.price_per_1k_output_tokens


def _own(model: Model) -> Rates | None:
    """The registry's price, which then holds for all tokens alike."""
    prompt, completion = model.price_per_1k_input_tokens, model.price_per_1k_output_tokens
    if prompt is None or completion is None:
        return None
    return Rates(Rate(prompt * THOUSAND), Rate(completion * THOUSAND), flat=True)


def _same(own: Rates, found: Listed) -> bool:
    return (own.prompt.base, own.completion.base) == (found.rates.prompt.base, found.rates.completion.base)


def _span(at: datetime) -> int:
    return int(at.timestamp()) // SPAN_SECONDS
