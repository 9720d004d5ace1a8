"""Prices: exact, cached tokens at their own rate, unknown is not zero."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.providers.anthropic.usage import usage_of
from shared.registry import seed
from shared.usage import price_list, pricing
from shared.usage.pricing import PriceBook, billed
from shared.usage.rates import Part, Rate, Rates


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


SONNET = model(provider="anthropic", api_model_name="claude-sonnet-4-6")


def test_what_is_kept_for_an_hour_costs_more_than_what_is_kept_for_five_minutes() -> None:
    told = {
        "input_tokens": 10,
        "cache_read_input_tokens": 400_000,
        "cache_creation_input_tokens": 300_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 200_000, "ephemeral_1h_input_tokens": 100_000},
        "output_tokens": 1_000,
        "server_tool_use": {"web_search_requests": 3},
    }
    # a million at: $3 plain, $0.30 read, $3.75 written for five minutes, $6 for an hour, $15 out; $10 for 1,000 searches
    plain, read, written = Decimal("0.00003"), Decimal("0.12"), Decimal("0.75") + Decimal("0.6")
    expected = plain + read + written + Decimal("0.015") + Decimal("0.03")
    assert PriceBook().cost(SONNET, usage_of(told)) == expected
    assert PriceBook().cost(SONNET, Usage.from_openai(usage_of(told).to_openai())) == expected


def test_openais_cached_tokens_are_part_of_the_prompt_and_anthropics_are_not() -> None:
    theirs = usage_of({"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 0})
    ours = Usage.from_openai({"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 900}})
    assert theirs == ours
    # 100 at $3 and 900 at $0.30 for a million
    assert PriceBook().cost(SONNET, ours) == Decimal("0.00057")


def test_reasoning_beside_the_completion_is_billed_as_output() -> None:
    grok = model(provider="x-ai", api_model_name="grok-4")
    told = {
        "prompt_tokens": 32,
        "completion_tokens": 9,
        "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94},
    }
    # 32 at $3, 103 at $15
    assert PriceBook().cost(grok, Usage.from_openai(told)) == Decimal("0.001641")


def test_reasoning_with_a_rate_of_its_own_is_billed_at_that() -> None:
    sonar = model(provider="perplexity", api_model_name="sonar-deep-research")
    used = Usage(prompt=0, completion=3_000_000, reasoning=1_000_000, searches=1000)
    # $8 out, $3 reasoning, $5 for 1,000 searches
    assert PriceBook().cost(sonar, used) == Decimal(16 + 3 + 5)


def test_audio_and_images_have_their_own_rates() -> None:
    audio = model(provider="openai", api_model_name="gpt-audio")
    used = Usage(prompt=1_100_000, audio_prompt=1_000_000, completion=1_200_000, audio_completion=1_000_000)
    # text in $2.50, audio in $32, text out $10, audio out $64
    assert PriceBook().cost(audio, used) == Decimal("0.25") + 32 + 2 + 64
    image = model(provider="openai", api_model_name="gpt-image-1")
    # text in $5, images in $10, out $40
    assert (
        PriceBook().cost(image, Usage(prompt=1_500_000, image_prompt=1_000_000, completion=100_000))
        == Decimal("2.5") + 10 + 4
    )


def test_audio_without_a_rate_of_its_own_has_no_known_price() -> None:
    listed = model(provider="openai", api_model_name="gpt-4o-audio-preview")
    assert PriceBook().cost(listed, Usage(prompt=10, audio_prompt=5)) is None
    assert PriceBook().cost(listed, Usage(prompt=10, completion=10, audio_completion=5)) is None
    assert PriceBook().cost(listed, Usage(prompt=10)) is not None
    own = model(price_per_1k_input_tokens=Decimal("0.1"), price_per_1k_output_tokens=Decimal("0.3"))
    assert PriceBook().cost(own, Usage(prompt=10, audio_prompt=5)) == Decimal("0.001")
    free = model(price_per_1k_input_tokens=Decimal(0), price_per_1k_output_tokens=Decimal(0))
    assert PriceBook().cost(free, Usage(prompt=10, audio_prompt=5)) == 0


@pytest.mark.parametrize(
    ("tier", "factor"), [("flex", Decimal("0.5")), ("priority", Decimal(2)), ("default", Decimal(1)), ("", Decimal(1))]
)
def test_a_service_tier_has_its_own_price(tier: str, factor: Decimal) -> None:
    book = PriceBook()
    priced = {"price_per_1k_input_tokens": Decimal("0.00125"), "price_per_1k_output_tokens": Decimal("0.01")}
    for gpt in (
        model(provider="openai", api_model_name="gpt-5"),
        model(provider="openai", api_model_name="gpt-5", **priced),
    ):
        used = Usage(prompt=1_000_000, cached=500_000, completion=1_000_000, tier=tier)
        assert book.cost(gpt, used) == factor * (Decimal("0.625") + Decimal("0.0625") + 10)


def test_a_tier_without_a_price_of_its_own_costs_the_usual() -> None:
    assert PriceBook().cost(SONNET, Usage(prompt=1_000_000, tier="flex")) == 3
    assert PriceBook().cost(SONNET, Usage(prompt=1_000_000, tier="made up")) == 3


class Clock:
    def __init__(self, hour: int) -> None:
        self.now = datetime(2026, 11, 25, hour, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_price_that_depends_on_the_time_of_day_is_looked_up_again() -> None:
    clock = Clock(2)
    book = PriceBook(clock)
    flash = model(provider="deepseek", api_model_name="deepseek-v4-flash")
    costs = {}
    for hour in (2, 5, 7, 12, 2):
        clock.now = clock.now.replace(hour=hour)
        costs[hour] = book.cost(flash, Usage(prompt=1_000_000))
        theirs = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1_000_000, output_tokens=0),
            "deepseek-v4-flash",
            provider_id="deepseek",
            genai_request_timestamp=clock.now,
        )
        assert costs[hour] == theirs.total_price
    assert costs[2] != costs[5]


def test_a_price_that_always_holds_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(1), []
    found = price_list.listed("anthropic", "claude-sonnet-4-6", clock())
    monkeypatch.setattr("shared.usage.pricing.listed", lambda *_, **__: asked.append(1) or found)
    book = PriceBook(clock)
    for hour in (1, 5, 9):
        clock.now = clock.now.replace(hour=hour)
        book.cost(SONNET, Usage(prompt=1))
    assert len(asked) == 1


LISTED = [
    ("anthropic", "claude-sonnet-4-6"),
    ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("openai", "gpt-6.1-terra"),
    ("openai", "gpt-4o-mini"),
    ("x-ai", "grok-4"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
]
tokens = st.integers(0, 400_000)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LISTED), tokens, tokens, tokens, st.integers(0, 100), tokens)
def test_costs_are_those_of_the_list_to_the_last_digit(
    named: tuple[str, str], plain: int, cached: int, written: int, hour: int, completion: int
) -> None:
    provider, name = named
    for_an_hour = written * hour // 100 if provider == "anthropic" else 0
    used = Usage(
        prompt=plain + cached + written,
        cached=cached,
        cache_write=written,
        cache_write_1h=for_an_hour,
        completion=completion,
    )
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=used.prompt,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            cache_write_1h_tokens=for_an_hour,
            output_tokens=completion,
        ),
        name,
        provider_id=provider,
    )
    assert PriceBook().cost(model(provider=provider, api_model_name=name), used) == theirs.total_price


counts = st.integers(0, 10**9)


@given(st.builds(Usage, prompt=counts, completion=counts, cached=counts, cache_write=counts, reasoning=counts))
def test_no_usage_costs_less_than_nothing(used: Usage) -> None:
    rates = Rates(
        Rate(Decimal(3)), Rate(Decimal(15)), (Part("cached", "prompt", Rate(Decimal("0.3"))),), search=Decimal("0.01")
    )
    assert rates.cost(used) >= 0


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost": 0.95, "cost_details": {"upstream_inference_cost": None}}, "0.95"),
        ({"cost": 0.95, "is_byok": False, "cost_details": {"upstream_inference_cost": 19}}, "0.95"),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.5}}, "1.55"),
        ({"cost": 0.1, "is_byok": True}, "0.1"),
        ({"cost": 0}, "0"),
        ({"cost": None}, None),
        ({"cost": True}, None),
        ({"cost": -1}, None),
        ({"cost": 10**9}, None),
        ({"cost": float("nan")}, None),
        ({"cost": {"total_cost": 1}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_a_provider_says_that_it_bills_is_read(usage: Any, dollars: str | None) -> None:
    assert billed(usage) == (None if dollars is None else Decimal(dollars))


def test_the_seeds_have_the_lists_finer_rates() -> None:
    """A price that has drifted from the list would bill cached tokens as if they were not."""
    paid = [seeded for seeded in seed.models() if seeded.layer != "L0"]
    assert [seeded.id for seeded in paid if (rates := PriceBook().rates(seeded)) is None or rates.flat] == []


@pytest.mark.parametrize("seeded", seed.models(), ids=lambda item: item.id)
def test_the_seeds_prices_are_known_and_free_means_free(seeded: Model) -> None:
    rates = PriceBook().rates(seeded)
    assert rates is not None
    assert rates.free == (seeded.layer == "L0")


def test_a_model_that_was_read_again_is_not_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    book, asked = PriceBook(), []

    def counting(provider: str, name: str, *_: Any, **__: Any) -> None:
        asked.append((provider, name))

    monkeypatch.setattr(pricing, "listed", counting)
    for changed in ({}, {"priority": 3}, {"layer": "L2"}):
        assert book.rates(model(**changed)) is None
    assert asked == [("own", "m")]
    assert book.rates(model(price_per_1k_input_tokens=1, price_per_1k_output_tokens=2)) is not None
    book.rates(model(api_model_name="n"))
    assert asked == [("own", "m"), ("own", "m"), ("own", "n")]
