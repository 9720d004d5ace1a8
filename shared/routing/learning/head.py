"""How likely a layer's answer is good enough: a prior, corrected by what came of the answers that it gave."""

from collections.abc import Sequence
from math import exp
from operator import mul

from shared.domain.models import Layer

PRIOR: dict[Layer, tuple[float, float]] = {"L0": (1.2, 3.6), "L1": (1.25, 2.4), "L2": (1.3, 1.2), "L3": (1.35, 0.0)}
"""Log odds of a good answer to the easiest request, and what the estimated gain takes off, before any outcome.

From L0 to L3 the chance so grows by about that gain, a third with each layer.
"""

FIRM = 8.0
"""Precision of each weight before any outcome: how much it takes to move it."""

FORGET = 0.0005
"""What old evidence loses with each outcome that is known for sure; half of it is gone after 1,400."""

LARGEST = 4.0


class Head:
    """Logistic regression with an offset, learned one outcome at a time.

    Each weight is a normal distribution, a mean and a precision. An outcome moves the means by as much as they are
    uncertain (a Laplace step with a diagonal covariance); forgetting lowers the precisions, so that it follows drift.
    `seen` is the weight of the outcomes that still count.
    """

    def __init__(self, size: int) -> None:
        self.means = [0.0] * size
        self.precisions = [FIRM] * size
        self.seen = 0.0

    def good(self, x: Sequence[float], offset: float) -> float:
        """The probability of a good answer, 0 to 1; `offset` is the prior, in log odds."""
        return _logistic(offset + sum(map(mul, self.means, x)))

    def learn(self, x: Sequence[float], offset: float, *, reward: float, weight: float) -> None:
        """Take in one outcome: `reward` from 0, bad, to 1, good; `weight` says how much it tells."""
        good = self.good(x, offset)
        sharpness = _sharpness(good, weight)
        self._move(x, weight * (reward - good), sharpness)
        keep = 1 - FORGET * weight
        for index, value in enumerate(x):
            self.precisions[index] = FIRM + (self.precisions[index] - FIRM) * keep + sharpness * value * value
        self.seen = self.seen * keep + weight

    def revise(self, x: Sequence[float], offset: float, *, by: float, weight: float) -> None:
        """Change the reward of an outcome learned before, without counting it a second time."""
        self._move(x, weight * by, _sharpness(self.good(x, offset), weight))

    def _move(self, x: Sequence[float], pull: float, sharpness: float) -> None:
        variance = sum(value * value / precision for value, precision in zip(x, self.precisions, strict=True))
        step = pull / (1 + sharpness * variance)
        for index, value in enumerate(x):
            moved = self.means[index] + step * value / self.precisions[index]
            self.means[index] = min(max(moved, -LARGEST), LARGEST)


def prior(layer: Layer, score: float) -> float:
    """The log odds of a good answer by a layer; `score` is the estimated gain from asking a strong model, 0 to 1."""
    easiest, slope = PRIOR[layer]
    return easiest - slope * min(max(score, 0.0), 1.0)


def _sharpness(good: float, weight: float) -> float:
    return weight * max(good * (1 - good), 0.01)


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-min(max(odds, -30.0), 30.0)))
