"""A ridge-regularised logistic fit of the n-gram table, on top of what the trees already say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.router.boosting import Array, sigmoid, summed
from shared.routing.complexity.weights import GRAMS

FIXED = float(1 << 24)
STEPS = 60
LEAST_COUNT = 2
"""Table rows touched by fewer prompts stay 0."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Which table rows each prompt touches, as a sparse matrix: prompt, row and value of every entry."""

    prompts: NDArray[np.int64]
    rows: NDArray[np.int64]
    values: Array
    count: int

    @classmethod
    def of(cls, touched: Sequence[Sequence[int]]) -> "Touched":
        """As `ngrams.score` weighs them: each by the square root of how many there are."""
        sizes = np.array([len(rows) for rows in touched], np.int64)
        prompts = np.repeat(np.arange(len(touched)), sizes)
        rows = np.fromiter((row for rows in touched for row in rows), np.int64, int(sizes.sum()))
        return cls(prompts, rows, (1 / np.sqrt(np.maximum(1, sizes)))[prompts], len(touched))

    def frequent(self) -> "Touched":
        """Without the table rows that few prompts touch."""
        kept = np.bincount(self.rows, minlength=GRAMS)[self.rows] >= LEAST_COUNT
        return Touched(self.prompts[kept], self.rows[kept], self.values[kept], self.count)

    def times(self, weights: Array) -> Array:
        """The sum for each prompt."""
        return summed(self.prompts, self.values * weights[self.rows], self.count)

    def transposed_times(self, errors: Array) -> Array:
        """The sum for each table row."""
        return summed(self.rows, self.values * errors[self.prompts], GRAMS)


def fit(touched: Touched, target: Array, weight: Array, start: Array, ridge: float) -> Array:
    """The weights of the table, by accelerated gradient descent; rounded at each step, so that they come out the same."""
    entries = touched.frequent()
    step = 1 / (0.25 * _largest_eigenvalue(entries, weight) + ridge)
    table, ahead, momentum = np.zeros(GRAMS), np.zeros(GRAMS), 1.0
    for _ in range(STEPS):
        errors = np.rint((sigmoid(entries.times(ahead) + start) - target) * weight * FIXED) / FIXED
        moved = np.rint((ahead - step * (entries.transposed_times(errors) + ridge * ahead)) * FIXED) / FIXED
        following = (1 + (1 + 4 * momentum * momentum) ** 0.5) / 2
        ahead = moved + (momentum - 1) / following * (moved - table)
        table, momentum = moved, following
    return table


def _largest_eigenvalue(entries: Touched, weight: Array) -> float:
    """Of the curvature, from above, to two figures."""
    direction, size = np.full(GRAMS, GRAMS**-0.5), 1.0
    for _ in range(12):
        image = entries.transposed_times(entries.times(direction) * weight)
        size = float(np.sqrt((image * image).sum())) or 1.0
        direction = image / size
    return float(f"{1.1 * size:.2g}")
