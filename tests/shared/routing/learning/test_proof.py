import random

import pytest

from shared.routing.learning.proof import ENOUGH, TRIED, Line, Proof, Stage


def line(count: int, *, low: float, high: float, seed: int = 1) -> Line:
    """Outcomes at places of all heights, whose chance to be good goes from `low` to `high`."""
    chance, made = random.Random(seed), Line()
    for _ in range(count):
        place = chance.random()
        made.add(place, float(chance.random() < low + (high - low) * place))
    return made


@pytest.mark.parametrize(
    ("lower", "upper", "stage"),
    [
        (Line(), Line(), "abstains"),
        (line(int(ENOUGH) - 1, low=1, high=0), line(100, low=1, high=1), "abstains"),
        (line(200, low=0.5, high=0.5), Line(), "abstains"),
        (line(200, low=0.2, high=0.9), Line(), "abstains"),
        (line(200, low=0.9, high=0.2), Line(), "tries"),
        (line(200, low=0.9, high=0.2), line(int(TRIED) - 1, low=0.9, high=0.9), "tries"),
        (line(200, low=0.9, high=0.2), line(40, low=0.9, high=0.9), "ranks"),
        (line(200, low=0.9, high=0.2), line(200, low=0.95, high=0.1), "tries"),
        (line(200, low=0.2, high=0.2), line(200, low=0.3, high=0.9), "ranks"),
    ],
)
def test_a_step_is_tried_by_what_the_lower_layer_shows_and_ranked_by_what_both_do(
    lower: Line, upper: Line, stage: Stage
) -> None:
    assert Proof(lower, upper).stage == stage


def test_rewards_that_are_all_the_same_prove_nothing() -> None:
    assert Proof(line(500, low=1, high=1), line(500, low=1, high=1)).stage == "abstains"


def test_a_line_is_not_bent_by_where_its_requests_come_from() -> None:
    chance, everywhere, top = random.Random(2), Line(), Line()
    for _ in range(4_000):
        place = chance.random()
        reward = float(chance.random() < 0.9 - 0.5 * place)
        everywhere.add(place, reward)
        if place > 0.5:
            top.add(place, reward)
    assert everywhere.slope()[0] == pytest.approx(-0.5, abs=0.1)
    assert top.slope()[0] == pytest.approx(-0.5, abs=0.2)


def test_a_revised_reward_takes_the_place_of_the_former() -> None:
    meant, changed = Line(), Line()
    for number in range(10):
        meant.add(number / 10, float(number % 2))
        changed.add(number / 10, 0.5)
        changed.revise(number / 10, 0.5, float(number % 2))
    assert changed.sums == pytest.approx(meant.sums, abs=1e-9)
    changed.revise(1.0, 1.0, 0.0)
    for _ in range(20):
        changed.revise(1.0, 1.0, 0.0)
    assert min(changed.sums) >= 0
