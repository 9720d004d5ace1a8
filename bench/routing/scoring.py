"""How well an order of requests spends a budget of strong answers, with intervals from resampling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.router.boosting import Array

RESAMPLES = 1_000
SEED = 20_240_611


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the bounds that 95 % of the resamples lie in."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows to judge orders on: what the strong answer gains, what it costs more, and the kind of each row."""

    gain: Array
    cost: Array
    kinds: NDArray[np.int64]

    def resamples(self, *, whole_kinds: bool) -> Array:
        """How often each row counts in each resample. Whole kinds are drawn, or rows within each kind."""
        chance = np.random.default_rng(SEED)
        names, sizes = np.unique(self.kinds, return_counts=True)
        if whole_kinds:
            drawn = chance.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
            return drawn[:, np.searchsorted(names, self.kinds)].astype(float)
        counts = np.zeros((RESAMPLES, len(self.kinds)))
        for name, size in zip(names, sizes, strict=True):
            counts[:, self.kinds == name] = chance.multinomial(size, np.full(size, 1 / size), RESAMPLES)
        return counts


def area(score: Array, rows: Judged, counts: Array) -> float:
    """The mean share of the possible gain that is recovered, over all budgets (APGR): 0.5 at random.

    The share of the budget is the share of the extra cost. Equal scores are taken in proportion.
    """
    _, group = np.unique(-score, return_inverse=True)
    gained = np.bincount(group, counts * rows.gain).cumsum()
    spent = np.bincount(group, counts * rows.cost).cumsum()
    return float(np.trapezoid(np.append(0, gained), np.append(0, spent)) / (gained[-1] * spent[-1]))


def area_within(score: Array, rows: Judged, counts: Array) -> float:
    """The same inside each kind, the kinds weighed by what they have to gain: what is known beyond the kind."""
    recovered = possible = 0.0
    for kind in np.unique(rows.kinds):
        of = rows.kinds == kind
        total = float((counts[of] * rows.gain[of]).sum())
        if total:
            recovered += total * area(score[of], Judged(rows.gain[of], rows.cost[of], rows.kinds[of]), counts[of])
            possible += total
    return recovered / possible if possible else 0.5


def interval(value: float, resampled: Sequence[float]) -> Interval:
    """The 95 % interval of a figure."""
    low, high = np.quantile(np.array(resampled), (0.025, 0.975))
    return Interval(value, float(low), float(high))


def quality_at(score: Array, rows: Judged, weak: Array, share: float) -> float:
    """The mean score of the answers when that share of the calls, the highest ranked, goes to the strong model."""
    order = np.argsort(-score, kind="stable")
    return float(weak.mean() + rows.gain[order[: round(share * len(order))]].sum() / len(order))
