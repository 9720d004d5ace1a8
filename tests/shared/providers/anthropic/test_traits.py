"""Which rules a model name gets."""

import pytest

from shared.providers.anthropic.traits import ANOTHER_VENDOR, traits_of


@pytest.mark.parametrize(
    ("model", "sampling", "thinking", "off"),
    [
        ("claude-3-haiku-20240307", "all", "none", "omit"),
        ("claude-3-5-sonnet-20241022", "all", "none", "omit"),
        ("claude-3-7-sonnet-latest", "all", "budget", "omit"),
        ("claude-sonnet-4-20250514", "all", "budget", "omit"),
        ("claude-opus-4-1-20250805", "one", "budget", "omit"),
        ("claude-haiku-4-5", "one", "budget", "omit"),
        ("anthropic/claude-sonnet-4.5", "one", "budget", "omit"),
        ("us.anthropic.claude-opus-4-6-v1:0", "one", "adaptive", "omit"),
        ("claude-opus-4-7", "none", "adaptive", "omit"),
        ("claude-opus-4-8", "none", "adaptive", "omit"),
        ("claude-opus-5", "none", "adaptive", "disabled"),
        ("claude-opus-5-20260724", "none", "adaptive", "disabled"),
        ("claude-sonnet-5", "none", "adaptive", "disabled"),
        ("claude-sonnet-5-5", "none", "adaptive", "between_tools"),
        ("claude-haiku-5-5", "none", "adaptive", "disabled"),
        ("claude-opus-5-5", "none", "adaptive", "never"),
        ("claude-fable-5", "none", "adaptive", "never"),
        ("claude-mythos-preview", "none", "adaptive", "never"),
    ],
)
def test_a_model_gets_the_rules_of_its_generation(model: str, sampling: str, thinking: str, off: str) -> None:
    traits = traits_of(model)
    assert (traits.sampling, traits.thinking, traits.thinking_off) == (sampling, thinking, off)


def test_a_date_in_the_name_is_not_a_version() -> None:
    assert traits_of("claude-opus-4-20250514") == traits_of("claude-opus-4-0")
    assert traits_of("claude-opus-5-2026-07-24") == traits_of("claude-opus-5")


def test_a_claude_that_is_not_known_gets_the_strictest_rules() -> None:
    for model in ("claude-next", "claude-opus-7", "claude-sonnet-latest"):
        traits = traits_of(model)
        assert (traits.sampling, traits.thinking_off, traits.forced_tools, traits.prefill) == (
            "none",
            "never",
            False,
            False,
        )


def test_a_model_of_another_vendor_gets_the_rules_that_all_copied() -> None:
    assert traits_of("kimi-k3") is ANOTHER_VENDOR
    assert ANOTHER_VENDOR.sampling == "all"
    assert not ANOTHER_VENDOR.structured_output


@pytest.mark.parametrize(
    ("model", "forced", "inner_system", "preserved"),
    [
        ("claude-opus-4-7", True, False, False),
        ("claude-opus-4-8", True, True, False),
        ("claude-sonnet-5", True, False, False),
        ("claude-opus-5", True, True, False),
        ("claude-fable-5", True, True, False),
        ("claude-fable-5-1", False, True, True),
        ("claude-sonnet-5-5", False, True, True),
        ("claude-haiku-5-5", True, True, True),
    ],
)
def test_the_fifth_generation_differs_in_what_it_refuses(
    model: str, forced: bool, inner_system: bool, preserved: bool
) -> None:
    traits = traits_of(model)
    assert (traits.forced_tools, traits.inner_system, traits.preserved_thinking) == (forced, inner_system, preserved)
