"""What a budget allows: never more than is left, never less than what is useful."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.chat import ChatRequest
from shared.domain.routing import Facts
from shared.domain.usage import Usage
from shared.routing.allowance import FEWEST_TOKENS, USUAL_TOKENS, allowance, most
from shared.usage.rates import Part, Rate, Rates


def facts(**body: Any) -> Facts:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body}).bounded().facts


RATES = Rates(
    Rate(Decimal(3)),
    Rate(Decimal(15)),
    (
        Part("cached", "prompt", Rate(Decimal("0.3"))),
        Part("cache_write", "prompt", Rate(Decimal("3.75"))),
        Part("cache_write_1h", "cache_write", Rate(Decimal(6))),
    ),
)
FREE = Rates(Rate(Decimal(0)), Rate(Decimal(0)))


def test_what_is_free_is_allowed_with_nothing_left() -> None:
    allowed = allowance(facts(), FREE, Decimal(0))
    assert allowed is not None
    assert allowed.cost == 0


def test_the_answer_may_be_as_long_as_the_money_lasts() -> None:
    plenty = allowance(facts(), RATES, Decimal(1))
    assert plenty is not None
    assert plenty.tokens == USUAL_TOKENS
    little = allowance(facts(), RATES, Decimal("0.02"))
    assert little is not None
    assert FEWEST_TOKENS < little.tokens < USUAL_TOKENS
    assert allowance(facts(), RATES, Decimal("0.003")) is None


def test_a_callers_own_bound_is_taken_or_refused_never_changed() -> None:
    allowed = allowance(facts(max_tokens=1000), RATES, Decimal("0.02"))
    assert allowed is not None
    assert allowed.tokens == 1000
    assert allowance(facts(max_tokens=2000), RATES, Decimal("0.02")) is None


def test_every_choice_that_is_asked_for_costs() -> None:
    assert most(facts(n=4), RATES, 100) >= most(facts(), RATES, 100) + 300 * Decimal(15) / 1_000_000


@given(st.text(max_size=300), st.decimals(0, 2, places=5), st.integers(0, 5000), st.integers(0, 5000))
def test_what_is_used_never_costs_more_than_was_allowed(
    text: str, left: Decimal, completion: int, written: int
) -> None:
    asked = ChatRequest.parse({"messages": [{"role": "user", "content": text or "x"}]}).bounded().facts
    allowed = allowance(asked, RATES, left)
    if allowed is None:
        return
    assert allowed.cost <= left
    prompt = len(text.encode("utf-8", "surrogatepass"))  # a token is a byte at least
    for kept in (0, min(written, prompt)):
        used = Usage(
            prompt=prompt,
            completion=min(completion, allowed.tokens),
            cache_write=min(written, prompt),
            cache_write_1h=kept,
        )
        assert RATES.cost(used) <= allowed.cost
