"""Whether a cost grows with what it is measured against: flat, linear, or worse. Pure."""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

Verdict = Literal["flat", "linear", "worse than linear"]

FLAT = 1.25
"""What a shared machine disturbs: up to so many times the first cost is none at all."""

EXPONENT = 1.15
"""Cost as a power of size: 1 is linear, what has a fixed part too stays below, and a little more is disturbance."""


def verdict(sizes: Sequence[float], costs: Sequence[float]) -> Verdict:
    """How costs grow with sizes, which rise; a size of 0 counts as 1."""
    if max(costs) <= FLAT * costs[0]:
        return "flat"
    return "linear" if steepest(sizes, costs) <= EXPONENT else "worse than linear"


def steepest(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The largest exponent between two neighbours."""
    at_least_one = [max(size, 1) for size in sizes]
    return max(
        math.log(costs[index + 1] / costs[index]) / math.log(at_least_one[index + 1] / at_least_one[index])
        for index in range(len(costs) - 1)
    )


def ratios(rounds: Sequence[Sequence[float]]) -> list[float]:
    """How many times the first cost each is: taken inside every round, and the median of the rounds."""
    return [statistics.median(costs[index] / costs[0] for costs in rounds) for index in range(len(rounds[0]))]


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Each cost, the median of the rounds."""
    return [statistics.median(costs[index] for costs in rounds) for index in range(len(rounds[0]))]
