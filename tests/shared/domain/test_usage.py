"""What an answer used, in every shape that providers tell it in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.usage import Usage

SHAPES: dict[str, tuple[dict[str, Any], Usage]] = {
    "openai": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 40, "audio_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 8},
        },
        Usage(
            prompt=2006,
            completion=300,
            cached=1920,
            cache_write=40,
            reasoning=192,
            audio_prompt=6,
            audio_completion=8,
        ),
    ),
    "openai, images": (
        {
            "prompt_tokens": 50,
            "completion_tokens": 1300,
            "total_tokens": 1350,
            "prompt_tokens_details": {"image_tokens": 40},
            "completion_tokens_details": {"image_tokens": 1290},
        },
        Usage(prompt=50, completion=1300, image_prompt=40, image_completion=1290),
    ),
    "deepseek": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 105,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        Usage(prompt=100, completion=5, cached=64),
    ),
    "moonshot": (
        {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "cached_tokens": 64},
        Usage(prompt=100, completion=5, cached=64),
    ),
    "openrouter": (
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.95,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
            "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60},
            "server_tool_use": {"web_search_requests": 2},
            "service_tier": "priority",
        },
        Usage(prompt=194, completion=2, cache_write=100, cache_write_1h=60, searches=2, tier="priority"),
    ),
    "xai, reasoning beside the completion": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"text_tokens": 32, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        Usage(prompt=32, completion=103, cached=6, reasoning=94),
    ),
    "gemini, thoughts in the total only": (
        {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
        Usage(prompt=20, completion=603),
    ),
    "perplexity, reasoning in no total": (
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "reasoning_tokens": 73_395,
            "num_search_queries": 18,
        },
        Usage(prompt=33, completion=80_558, reasoning=73_395, searches=18),
    ),
    "a proxy that counts the cache beside the prompt": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 14,
            "cache_read_input_tokens": 3000,
            "cache_creation_input_tokens": 200,
        },
        Usage(prompt=3210, completion=4, cached=3000, cache_write=200),
    ),
    "the same with more beside the cache than in it": (
        {
            "prompt_tokens": 5000,
            "completion_tokens": 4,
            "total_tokens": 8004,
            "prompt_tokens_details": {"cached_tokens": 3000},
        },
        Usage(prompt=8000, completion=4, cached=3000),
    ),
    "anthropic, in our words": (
        {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "speed": "fast", "service_tier": "standard"},
        Usage(prompt=10, completion=4, tier="fast"),
    ),
    "without a total": ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(prompt=3, completion=2)),
    "nonsense": (
        {"prompt_tokens": "many", "completion_tokens": -1, "total_tokens": None, "prompt_tokens_details": []},
        Usage(),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_providers_shape_is_read(name: str) -> None:
    told, used = SHAPES[name]
    assert Usage.from_openai(told) == used


def test_the_tier_beside_the_usage_counts_where_the_usage_names_none() -> None:
    assert Usage.from_answer({"service_tier": "flex", "usage": {"prompt_tokens": 1}}) == Usage(prompt=1, tier="flex")
    assert Usage.from_answer({"service_tier": "flex", "usage": {"service_tier": "priority"}}).tier == "priority"
    assert Usage.from_answer({"service_tier": None, "usage": None}) == Usage()


counts = st.integers(0, 10**6)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A usage whose parts are no larger than their wholes, as providers report it."""
    cached, written, plain = draw(counts), draw(counts), draw(counts)
    reasoning, text = draw(counts), draw(counts)
    prompt, completion = cached + written + plain, reasoning + text
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=cached,
        cache_write=written,
        cache_write_1h=draw(st.integers(0, written)),
        reasoning=reasoning,
        audio_prompt=draw(st.integers(0, plain)),
        image_prompt=draw(st.integers(0, plain)),
        audio_completion=draw(st.integers(0, text)),
        image_completion=draw(st.integers(0, text)),
        searches=draw(st.integers(0, 100)),
        estimated=draw(st.booleans()),
    )


@given(usages())
def test_what_is_written_in_openais_form_is_read_as_the_same(used: Usage) -> None:
    assert Usage.from_openai(used.to_openai()) == used


claims = st.none() | st.booleans() | st.integers(-5, 40) | st.integers(0, 10**30) | st.text(max_size=2)
DETAILS = ("cached_tokens", "cache_write_tokens", "reasoning_tokens", "audio_tokens", "ephemeral_1h_input_tokens")
NESTED = ("prompt_tokens_details", "completion_tokens_details", "cache_creation", "server_tool_use")
FLAT = sorted({name for told, _ in SHAPES.values() for name in told} - set(NESTED))
details = claims | st.fixed_dictionaries({}, optional=dict.fromkeys(DETAILS, claims))
told_usages = st.fixed_dictionaries({}, optional={**dict.fromkeys(FLAT, claims), **dict.fromkeys(NESTED, details)})


@given(told_usages | claims)
def test_whatever_a_provider_claims_is_a_usage_whose_parts_fit(told: Any) -> None:
    used = Usage.from_openai(told)
    assert 0 <= used.cached + used.cache_write <= used.prompt < 2**31
    assert used.cache_write_1h <= used.cache_write
    assert 0 <= used.reasoning <= used.completion < 2**31
