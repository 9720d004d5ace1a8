"""The public price list (the package genai-prices) as rates.

Source: https://github.com/pydantic/genai-prices
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.usage.rates import Part, Rate, Rates

THOUSAND = Decimal(1_000)
PARTS = (
    ("cached", "prompt", "cache_read_mtok"),
    ("cache_write", "prompt", "cache_write_mtok"),
    ("cache_write_1h", "cache_write", "cache_write_1h_mtok"),
    ("audio_prompt", "prompt", "input_audio_mtok"),
    ("image_prompt", "prompt", "input_image_mtok"),
    ("reasoning", "completion", "output_reasoning_mtok"),
    ("audio_completion", "completion", "output_audio_mtok"),
    ("image_completion", "completion", "output_image_mtok"),
)
"""Parts of a usage that may have a rate of their own, the whole that each is counted in, and the list's name for it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list has for a model. `passing` says that another price will hold at another time."""

    rates: Rates
    passing: bool = False


def listed(provider: str, name: str, at: datetime, *, tier: str = "") -> Listed | None:
    """The list's rates for a model in a service tier; those of the standard one where it knows no others."""
    from genai_prices import Usage as ListUsage
    from genai_prices import calc_price

    try:
        found = calc_price(
            ListUsage(input_tokens=1, output_tokens=1),
            name,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context={"service_tier": tier, "speed": tier} if tier else None,
        )
    except (LookupError, ValueError):
        return None
    price = found.model_price
    prompt, completion = _rate(price.input_mtok), _rate(price.output_mtok)
    if prompt is None or completion is None:
        return None
    parts = tuple(
        Part(part, whole, rate) for part, whole, key in PARTS if (rate := _rate(getattr(price, key))) is not None
    )
    search = _rate(price.web_searches_kcount)
    rates = Rates(prompt, completion, parts, search=search.base / THOUSAND if search else Decimal(0))
    return Listed(rates, _passing(found.model.prices, at))


def _rate(value: Any) -> Rate | None:
    if value is None:
        return None
    if isinstance(value, Decimal):
        return Rate(value)
    return Rate(value.base, tuple((tier.start, tier.price) for tier in value.tiers))


def _passing(prices: Any, at: datetime) -> bool:
    """Whether any of the prices holds only at some time of day, or is yet to come."""
    from genai_prices.types import StartDateConstraint

    limits = [price.constraint for price in prices if price.constraint] if isinstance(prices, list) else []
    return any(not isinstance(limit, StartDateConstraint) or not limit.active(at) for limit in limits)
