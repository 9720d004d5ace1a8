"""Gradient boosting of small symmetric trees on a soft 0/1 target, the same to the byte on every machine.

Gradients are rounded to whole numbers before they are added up, so that neither the order of the sums nor the last
bit of an exponential can change a choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.routing.complexity.trees import DEPTH

FIXED = 1 << 16
BINS = 32

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """How to grow."""

    trees: int = 120
    rate: float = 0.08
    ridge: float = 20.0


@dataclass(frozen=True, slots=True)
class Grown:
    """One tree as it was grown: its leaves are in log odds."""

    features: tuple[int, ...]
    bins: tuple[int, ...]
    leaves: tuple[float, ...]


def borders(values: Array) -> list[Array]:
    """For each column, the values (rounded to 32 bits) that questions may compare with; last, one that nothing is above."""
    found = []
    for column in values.T:
        distinct = np.unique(column.astype(np.float32))
        middles = ((distinct[1:].astype(np.float64) + distinct[:-1]) / 2).astype(np.float32)
        if len(middles) >= BINS:
            ranks = np.sort(column)[(np.arange(1, BINS) * len(column)) // BINS]
            places = np.unique(np.searchsorted(middles, ranks.astype(np.float32)).clip(0, len(middles) - 1))
            middles = middles[places]
        found.append(np.append(middles.astype(np.float64), np.inf))
    return found


def binned(values: Array, edges: list[Array]) -> NDArray[np.int64]:
    """The number of borders that each value is above."""
    return np.stack(
        [np.searchsorted(edge, column, side="left") for column, edge in zip(values.T, edges, strict=True)], 1
    )


def summed(places: NDArray[np.int64], values: Array, size: int) -> Array:
    """The sum of the values at each place."""
    return np.bincount(places, values, size).astype(np.float64, copy=False)


def sigmoid(odds: Array) -> Array:
    """From log odds to a chance."""
    return 1.0 / (1.0 + np.exp(-odds))


def grow(
    bins: NDArray[np.int64], target: Array, weight: Array, start: Array, how: Boosting
) -> tuple[list[Grown], Array]:
    """The trees, and the log odds that they give to the rows they were grown on."""
    odds = start.copy()
    cells = bins + np.arange(bins.shape[1]) * BINS
    trees = []
    for _ in range(how.trees):
        chance = sigmoid(odds)
        gradient = np.rint((target - chance) * weight * FIXED)
        curve = np.rint(np.maximum(chance * (1 - chance), 1e-3) * weight * FIXED)
        tree, leaf = _tree(cells, gradient, curve, how)
        odds += np.asarray(tree.leaves)[leaf]
        trees.append(tree)
    return trees, odds


def _tree(cells: NDArray[np.int64], gradient: Array, curve: Array, how: Boosting) -> tuple[Grown, NDArray[np.int64]]:
    rows, width = cells.shape
    leaf = np.zeros(rows, np.int64)
    features: list[int] = []
    chosen: list[int] = []
    for level in range(DEPTH):
        places = ((leaf * (width * BINS))[:, None] + cells).ravel()
        size = (1 << level) * width * BINS
        shape = (1 << level, width, BINS)
        sums = [summed(places, np.repeat(values, width), size).reshape(shape) for values in (gradient, curve)]
        feature, edge = _question(sums[0], sums[1], how.ridge * FIXED)
        features.append(feature)
        chosen.append(edge)
        leaf |= (cells[:, feature] - feature * BINS > edge).astype(np.int64) << level
    totals = [summed(leaf, values, 1 << DEPTH) for values in (gradient, curve)]
    leaves = how.rate * totals[0] / (totals[1] + how.ridge * FIXED)
    return Grown(tuple(features), tuple(chosen), tuple(leaves.tolist())), leaf


def _question(gradient: Array, curve: Array, ridge: float) -> tuple[int, int]:
    """The feature and border that, asked of all leaves at once, explain most."""
    left_gradient, left_curve = gradient.cumsum(2), curve.cumsum(2)
    all_gradient, all_curve = left_gradient[:, :1, -1:], left_curve[:, :1, -1:]
    gain = left_gradient**2 / (left_curve + ridge) + (all_gradient - left_gradient) ** 2 / (
        all_curve - left_curve + ridge
    )
    total = np.rint(gain.sum(0) / FIXED * 64)[:, :-1]
    feature, edge = np.unravel_index(int(total.argmax()), total.shape)
    return int(feature), int(edge)


def predict(trees: list[Grown], bins: NDArray[np.int64], start: float = 0.0) -> Array:
    """The log odds of other rows."""
    odds = np.full(len(bins), start)
    for tree in trees:
        leaf = np.zeros(len(bins), np.int64)
        for level, (feature, edge) in enumerate(zip(tree.features, tree.bins, strict=True)):
            leaf |= (bins[:, feature] > edge).astype(np.int64) << level
        odds += np.asarray(tree.leaves)[leaf]
    return odds
