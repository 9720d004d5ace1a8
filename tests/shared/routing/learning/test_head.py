import pytest

from shared.domain.models import LAYERS
from shared.routing.learning.head import Head, prior


def test_a_head_that_has_seen_nothing_says_what_the_prior_says() -> None:
    assert Head(3).good([1.0, 0.5, -0.5], 0.0) == 0.5


@pytest.mark.parametrize("score", [-1.0, 0.0, 0.2, 0.4])
def test_the_prior_trusts_each_layer_more_than_the_one_below(score: float) -> None:
    odds = [prior(layer, score) for layer in LAYERS]
    assert odds == sorted(odds)


def test_an_outcome_moves_what_it_is_about_and_little_else() -> None:
    head = Head(3)
    for _ in range(50):
        head.learn([1.0, 1.0, 0.0], 0.0, reward=0.0, weight=1.0)
        head.learn([1.0, 0.0, 1.0], 0.0, reward=1.0, weight=1.0)
    assert head.good([1.0, 1.0, 0.0], 0.0) < 0.3
    assert head.good([1.0, 0.0, 1.0], 0.0) > 0.7


def test_a_weighty_outcome_moves_more_than_a_light_one() -> None:
    light, weighty = Head(2), Head(2)
    light.learn([1.0, 1.0], 0.0, reward=1.0, weight=0.05)
    weighty.learn([1.0, 1.0], 0.0, reward=1.0, weight=3.0)
    assert 0.5 < light.good([1.0, 1.0], 0.0) < weighty.good([1.0, 1.0], 0.0)


@pytest.mark.parametrize("odds", [-1e9, 1e9])
def test_no_odds_are_too_great(odds: float) -> None:
    head = Head(1)
    head.learn([1.0], odds, reward=0.5, weight=3.0)
    assert 0 <= head.good([1.0], odds) <= 1
