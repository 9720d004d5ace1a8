from collections.abc import Callable
from decimal import Decimal

import pytest

from shared.domain.models import Layer
from shared.domain.shares import parse_shares
from shared.routing.learning.choice import Choice, Option, Passed, choose

SHARES = parse_shares("L0=70,L1=20,L2=8,L3=2")


def at(layer: Layer, good: float, cost: str | None = "0.01") -> Option:
    return Option(layer=layer, good=good, cost=None if cost is None else Decimal(cost))


def placed(**places: float | None) -> Callable[[str, float, float], Passed | None]:
    """Where the score stands among the recent ones at each step, from 0 to 1."""

    def passes(step: str, _: float, share: float) -> Passed | None:
        place = places.get(step.replace("-", "_"), 0.0)
        return None if place is None else Passed(place >= 1 - share)

    return passes


def layer_of(choice: Choice | None) -> Layer | None:
    return None if choice is None else choice.layer


BOTH = [at("L0", 0.6, "0.001"), at("L1", 0.9, "0.01")]


@pytest.mark.parametrize(("place", "layer"), [(0.69, "L0"), (0.78, "L1"), (1.0, "L1")])
def test_it_goes_up_when_the_gain_is_among_the_wished_share(place: float, layer: Layer) -> None:
    assert layer_of(choose(BOTH, SHARES, placed(L0_L1_paid=place))) == layer


def test_the_gain_is_ranked_by_what_it_costs() -> None:
    seen: dict[str, float] = {}

    def passes(step: str, worth: float, _: float) -> Passed:
        seen[step] = worth
        return Passed(goes_up=False)

    choose(BOTH, SHARES, passes)
    choose([at("L0", 0.6, None), at("L1", 0.9)], SHARES, passes)
    choose([at("L0", 0.6, "0.02"), at("L1", 0.9, "0.02")], SHARES, passes)
    assert seen == {"L0-L1-paid": pytest.approx(0.3 / 0.009), "L0-L1": pytest.approx(0.3)}


def test_it_climbs_step_by_step() -> None:
    options = [at("L0", 0.5, "0.001"), at("L1", 0.6, "0.002"), at("L2", 0.9, "0.01"), at("L3", 0.95, "0.1")]
    assert layer_of(choose(options, SHARES, placed(L0_L1_paid=0.9, L1_L2_paid=0.9, L2_L3_paid=0.1))) == "L2"
    assert layer_of(choose(options, SHARES, placed(L0_L1_paid=0.9, L1_L2_paid=0.9, L2_L3_paid=0.9))) == "L3"


def test_layers_that_may_not_be_used_leave_their_share_to_the_others() -> None:
    options = [at("L0", 0.5, "0.001"), at("L2", 0.9)]
    above = 8 / 78
    assert layer_of(choose(options, SHARES, placed(L0_L2_paid=1 - above - 0.01))) == "L0"
    assert layer_of(choose(options, SHARES, placed(L0_L2_paid=1 - above + 0.01))) == "L2"


def test_a_layer_without_a_share_is_passed_by() -> None:
    options = [at("L0", 0.5, "0.001"), at("L1", 0.8), at("L2", 0.9, "0.1")]
    shares = parse_shares("L0=50,L2=50")
    assert layer_of(choose(options, shares, placed(L0_L2_paid=0.9))) == "L2"


@pytest.mark.parametrize("options", [[], [at("L1", 0.9)]])
def test_without_a_choice_there_is_none(options: list[Option]) -> None:
    assert choose(options, SHARES, placed()) is None


def test_it_abstains_where_it_does_not_know_the_recent_scores() -> None:
    assert choose(BOTH, SHARES, placed(L0_L1_paid=None)) is None


def test_a_later_step_that_is_not_judged_is_not_taken() -> None:
    options = [at("L0", 0.5, "0.001"), at("L1", 0.8, "0.002"), at("L2", 0.9)]
    choice = choose(options, SHARES, placed(L0_L1_paid=0.9, L1_L2_paid=None))
    assert layer_of(choice) == "L1"
    assert choice is not None
    assert choice.reason.startswith("a good answer is expected from L1")


def test_a_request_that_was_drawn_by_lot_says_so() -> None:
    choice = choose(BOTH, SHARES, lambda *_: Passed(goes_up=True, drawn=True))
    assert choice == Choice("L1", "a few requests go to L0 or L1 by lot, to learn what L1 gains")


def test_the_reason_says_what_is_gained_and_for_how_much() -> None:
    choice = choose(BOTH, SHARES, placed(L0_L1_paid=0.9))
    assert choice is not None
    assert choice.reason == (
        "a good answer is expected from L1 in 90% of such cases and from L0 in 60% for $0.009 more; "
        "that is among the 22% of recent requests that gain most"
    )
    lower = choose(BOTH, SHARES, placed(L0_L1_paid=0.1))
    assert lower is not None
    assert "that is not among the 22%" in lower.reason
