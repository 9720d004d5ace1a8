"""Evidence that a step up pays: whether the requests that were expected to gain more by it have gained more. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

from shared.routing.learning.head import FORGET

ENOUGH = 50.0
"""Outcomes of the lower layer below which a step is not judged."""

SIGMAS = 1.0
"""How far the slope must be above 0, in standard errors (chosen on the streams of bench/routing/LEARNING.md)."""

UPPER_SPREAD = 0.3
"""Standard deviation that is expected of the slope of the upper layer: hard requests may lower its answers too."""

LEAST_VARIANCE = 0.05
"""Rewards that were all the same so far may still differ."""

SUMS = 6

TRIED = 20.0
"""Outcomes of the upper layer from which its line counts."""

Stage = Literal["abstains", "tries", "ranks"]
"""What a step does: it is not taken; it is taken by lot only, to see what the upper layer gains; the requests with the
highest expected gain take it.
"""

DRAWN: Mapping[Stage, int] = {"tries": 4, "ranks": 16}
"""One request in so many is decided by lot, so that each layer is seen with requests of all kinds."""

Slope = tuple[float, float]
"""A slope and its variance."""


@dataclass(slots=True)
class Line:
    """The line of reward on place for one layer, from sums that fade as the heads forget.

    A place is the rank of a request's expected gain among the recent ones, 0 to 1. Where requests are sent depends on
    it, which does not bias a line over it. `sums`: count, places, rewards, and the squares and products of the two.
    """

    sums: list[float] = field(default_factory=lambda: [0.0] * SUMS)

    @property
    def count(self) -> float:
        """The outcomes that still count."""
        return self.sums[0]

    def add(self, place: float, reward: float) -> None:
        """Take in an outcome."""
        new = (1.0, place, reward, place * place, place * reward, reward * reward)
        self.sums = [old * (1 - FORGET) + value for old, value in zip(self.sums, new, strict=True)]

    def revise(self, place: float, before: float, after: float) -> None:
        """Replace the reward of an outcome that was taken in."""
        changes = {2: after - before, 4: place * (after - before), 5: after * after - before * before}
        for index, change in changes.items():
            self.sums[index] = max(self.sums[index] + change, 0.0)

    def slope(self, *, spread: float | None = None) -> Slope:
        """The slope; `spread` is the standard deviation of what is expected before any outcome, around 0."""
        count, places, rewards, squares, products, reward_squares = self.sums
        if count < 3:
            return 0.0, float("inf") if spread is None else spread**2
        width = max(squares - places * places / count, 1e-6)
        together = products - places * rewards / count
        left = reward_squares - rewards * rewards / count - together * together / width
        variance = max(left / (count - 2), LEAST_VARIANCE)
        width += 0.0 if spread is None else variance / spread**2
        return together / width, variance / width


@dataclass(slots=True)
class Proof:
    """The lines of the two layers of a step."""

    lower: Line = field(default_factory=Line)
    upper: Line = field(default_factory=Line)

    @property
    def stage(self) -> Stage:
        """How far the step has come."""
        if self.lower.count < ENOUGH:
            return "abstains"
        (down, lower), (up, upper) = self.lower.slope(), self.upper.slope(spread=UPPER_SPREAD)
        if self.upper.count >= TRIED and up - down > SIGMAS * sqrt(lower + upper):
            return "ranks"
        return "tries" if -down > SIGMAS * sqrt(lower) else "abstains"

    @property
    def standing(self) -> str:
        """The stage in words."""
        outcomes = f"{self.lower.count:.0f} outcomes of the lower layer and {self.upper.count:.0f} of the upper"
        return f"{self.stage} with {outcomes} known"
