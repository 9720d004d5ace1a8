"""Prices: exact, cached tokens at their own rate, unknown is not zero."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.registry import seed
from shared.usage.pricing import PriceBook


def model(**more: Any) -> Model:
    return Model(**{"id": "m", "provider": "own", "api_model_name": "m", "layer": "L1", **more})


def test_the_registrys_price_decides() -> None:
    priced = model(price_per_1k_input_tokens=Decimal("0.1"), price_per_1k_output_tokens=Decimal("0.3"))
    assert PriceBook().cost(priced, Usage(prompt=3, completion=7)) == Decimal("0.0024")


def test_many_tiny_costs_add_up_exactly() -> None:
    priced = model(price_per_1k_input_tokens=Decimal("0.0001"), price_per_1k_output_tokens=Decimal(0))
    cost = PriceBook().cost(priced, Usage(prompt=1))
    assert cost is not None
    assert sum((cost for _ in range(10_000)), Decimal(0)) == Decimal("0.001")


def test_an_unknown_price_is_none_and_never_zero() -> None:
    assert PriceBook().cost(model(), Usage(prompt=1000, completion=1000)) is None
    half = model(price_per_1k_input_tokens=Decimal("0.1"))
    assert PriceBook().cost(half, Usage(prompt=1000)) is None


def test_cached_input_and_cache_writes_have_their_own_rates() -> None:
    sonnet = model(
        provider="anthropic",
        api_model_name="claude-sonnet-4-6",
        price_per_1k_input_tokens=Decimal("0.003"),
        price_per_1k_output_tokens=Decimal("0.015"),
    )
    usage = Usage(prompt=1_000_000, cached=400_000, cache_write=100_000)
    # 500,000 at $3, 400,000 read at $0.30, 100,000 written at $3.75 for a million
    assert PriceBook().cost(sonnet, usage) == Decimal("1.5") + Decimal("0.12") + Decimal("0.375")


def test_an_operators_own_price_is_not_overruled_by_the_list() -> None:
    own = model(
        provider="anthropic",
        api_model_name="claude-sonnet-4-6",
        price_per_1k_input_tokens=Decimal("0.002"),
        price_per_1k_output_tokens=Decimal("0.015"),
    )
    assert PriceBook().cost(own, Usage(prompt=1_000_000, cached=1_000_000)) == Decimal(2)


def test_a_model_without_a_price_is_looked_up_in_the_list() -> None:
    listed = model(provider="openai", api_model_name="gpt-4o-mini")
    assert PriceBook().cost(listed, Usage(prompt=1_000_000)) == Decimal("0.15")


def test_long_prompts_reach_the_next_tier() -> None:
    tiered = model(provider="anthropic", api_model_name="claude-sonnet-4-5")
    assert PriceBook().cost(tiered, Usage(prompt=200_000)) == Decimal("0.6")
    assert PriceBook().cost(tiered, Usage(prompt=300_000)) == Decimal("1.8")


@pytest.mark.parametrize("seeded", seed.models(), ids=lambda item: item.id)
def test_the_seeds_prices_are_known_and_free_means_free(seeded: Model) -> None:
    rates = PriceBook().rates(seeded)
    assert rates is not None
    assert rates.free == (seeded.layer == "L0")
