"""How a cost grows is told from what a shared machine disturbs."""

import pytest

from bench.verdicts import medians, ratios, steepest, verdict

SIZES = (1, 10, 100, 1000)


def test_what_hardly_changes_is_flat() -> None:
    assert verdict(SIZES, (1.0, 1.2, 0.9, 1.24)) == "flat"


def test_what_gets_cheaper_is_flat() -> None:
    assert verdict(SIZES, (1.0, 0.6, 0.4, 0.3)) == "flat"


def test_a_fixed_part_and_one_for_each_is_linear() -> None:
    assert verdict(SIZES, [5 + 0.1 * size for size in SIZES]) == "linear"


def test_as_much_again_for_each_is_linear() -> None:
    assert verdict(SIZES, SIZES) == "linear"


@pytest.mark.parametrize("costs", [[1 + size**2 / 1000 for size in SIZES], [1, 1, 1, 40]], ids=["square", "late"])
def test_what_grows_faster_than_its_size_is_worse(costs: list[float]) -> None:
    assert verdict(SIZES, costs) == "worse than linear"


def test_a_size_of_nothing_counts_as_one() -> None:
    assert steepest((0, 50), (1.0, 1.0)) == 0


def test_ratios_are_taken_inside_a_round() -> None:
    """A machine that was slow for one whole round changes none of them."""
    rounds = [(1.0, 2.0), (10.0, 20.0), (1.0, 2.0)]
    assert ratios(rounds) == [1.0, 2.0]
    assert medians(rounds) == [1.0, 2.0]
