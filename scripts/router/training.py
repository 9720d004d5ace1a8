"""From rows to weights: trees on the lexical features, n-grams on what they leave, both rounded to whole numbers."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from scripts.router import boosting, linear
from scripts.router.boosting import Array, Boosting
from scripts.router.linear import Touched
from scripts.router.rows import Row, hardness
from shared.routing.complexity import features, ngrams
from shared.routing.complexity.lexicon import index
from shared.routing.complexity.reading import read
from shared.routing.complexity.trees import Tree
from shared.routing.complexity.weights import GRAMS, SEEN_BYTES, Weights

HOW = Boosting(trees=60, rate=0.08, ridge=60.0)
GRAM_RIDGE = 3.0
PAIRS_WEIGHT = 3.0
"""How much more a row counts that compares a truly weak with a truly strong model."""

FOLDS = 8
LOW, HIGH = 0.3, 0.7
"""The shares of held-out scores between which the estimate calls itself unsure."""

LEAF_MOST = 32_000
GRAM_MOST = 127
SEEN_AT_LEAST = 2


@dataclass(frozen=True, slots=True)
class Matrix:
    """The rows as figures. `target` is the chance that the strong answer is the better one, ties counting half.
    `hardness` is what the second weights learn.
    """

    lexical: Array
    grams: tuple[tuple[int, ...], ...]
    codes: tuple[tuple[int, ...], ...]
    target: Array
    weight: Array
    measured: NDArray[np.bool_]
    folds: NDArray[np.int64]
    hardness: Array

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Matrix":
        """Read all prompts. A fold holds whole kinds of task."""
        groups = index()
        readings = [read(row.prompt) for row in rows]
        codes = [tuple(ngrams.codes(reading.words)) for reading in readings]
        kinds = sorted({row.kind for row in rows}, key=lambda kind: (crc32(kind.encode()), kind))
        return cls(
            np.array([features.lexical(reading, groups) for reading in readings]),
            tuple(tuple(ngrams.rows(r.words, c, GRAMS)) for r, c in zip(readings, codes, strict=True)),
            tuple(codes),
            np.array([(1 + row.gain) / 2 for row in rows]),
            np.array([PAIRS_WEIGHT if row.source == "pairs" else 1.0 for row in rows]),
            np.array([row.source != "tiers" for row in rows]),
            np.array([kinds.index(row.kind) % FOLDS for row in rows]),
            np.array([hardness(row) for row in rows]),
        )

    def part(self, chosen: NDArray[np.bool_]) -> "Matrix":
        """Some of the rows."""
        places = np.flatnonzero(chosen)
        return Matrix(
            self.lexical[places],
            tuple(self.grams[place] for place in places),
            tuple(self.codes[place] for place in places),
            self.target[places],
            self.weight[places],
            self.measured[places],
            self.folds[places],
            self.hardness[places],
        )

    @property
    def hard(self) -> "Matrix":
        """The same rows with their hardness as what is learnt, and all of one weight."""
        return replace(self, target=self.hardness, weight=np.ones(len(self.target)))


def fit(data: Matrix) -> Weights:
    """Weights that are not calibrated yet: slope 1, shift 0."""
    base = _log_odds(float((data.weight * data.target).sum() / data.weight.sum()))
    edges = boosting.borders(data.lexical)
    start = np.full(len(data.target), base)
    grown, odds = boosting.grow(boosting.binned(data.lexical, edges), data.target, data.weight, start, HOW)
    table = linear.fit(Touched.of(data.grams), data.target, data.weight, odds, GRAM_RIDGE)
    leaf_unit = _unit(max(abs(leaf) for tree in grown for leaf in tree.leaves), LEAF_MOST)
    gram_unit = _unit(float(abs(table).max()), GRAM_MOST)
    trees = tuple(
        Tree(
            tree.features,
            tuple(float(edges[feature][edge]) for feature, edge in zip(tree.features, tree.bins, strict=True)),
            tuple(round(leaf / leaf_unit) for leaf in tree.leaves),
        )
        for tree in grown
    )
    grams = array("b", np.rint(table / gram_unit).astype(int).tolist())
    return Weights(base, leaf_unit, gram_unit, 1.0, 0.0, 0.0, 1.0, trees, grams, _seen(data.codes))


def odds_of(weights: Weights, data: Matrix) -> Array:
    """What the weights say of rows: the arithmetic of `Complexity.estimate`, for many at once."""
    total = np.zeros(len(data.target))
    for tree in weights.trees:
        bits = [
            (data.lexical[:, feature] > threshold).astype(np.int64) << level
            for level, (feature, threshold) in enumerate(zip(tree.features, tree.thresholds, strict=True))
        ]
        total += np.array(tree.leaves)[np.sum(bits, axis=0)]
    grams = np.array([ngrams.score(weights.grams, touched) for touched in data.grams])
    return weights.slope * (weights.base + weights.leaf_unit * total + weights.gram_unit * grams) + weights.shift


def held_out(data: Matrix, folds: NDArray[np.int64]) -> Array:
    """The log odds of every row from weights that saw no row of its fold."""
    odds = np.zeros(len(data.target))
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            return odds
        odds[out] = odds_of(fit(data.part(~out)), data.part(out))
    return odds


def train(data: Matrix) -> Weights:
    """The weights that ship, calibrated on the measured rows of kinds that were held out whole."""
    odds = held_out(data, data.folds)[data.measured]
    slope, shift = calibrated(odds, data.target[data.measured], data.weight[data.measured])
    gains = np.maximum(0.0, 2 * boosting.sigmoid(slope * odds + shift) - 1)
    low, high = (round(float(np.sort(gains)[int(share * (len(gains) - 1))]), 4) for share in (LOW, HIGH))
    return replace(fit(data), slope=slope, shift=shift, low=low, high=high)


def calibrated(odds: Array, target: Array, weight: Array) -> tuple[float, float]:
    """Slope and shift that make the log odds fit the outcomes best (Platt), by Newton's steps."""
    slope, shift = 1.0, 0.0
    for _ in range(20):
        chance = boosting.sigmoid(slope * odds + shift)
        error, curve = weight * (target - chance), weight * chance * (1 - chance)
        one, two = float((error * odds).sum()), float(error.sum())
        a, b, c = float((curve * odds * odds).sum()) + 1.0, float((curve * odds).sum()), float(curve.sum()) + 1e-9
        slope += (c * one - b * two) / (a * c - b * b)
        shift += (a * two - b * one) / (a * c - b * b)
    return round(slope, 4), round(shift, 4)


def _seen(codes: Sequence[Sequence[int]]) -> bytes:
    """The words that several prompts hold, a bit each."""
    values, counts = np.unique([code for words in codes for code in sorted(set(words))], return_counts=True)
    bits = bytearray(SEEN_BYTES)
    for code in values[counts >= SEEN_AT_LEAST].astype(np.int64) & (SEEN_BYTES * 8 - 1):
        bits[code >> 3] |= 1 << (code & 7)
    return bytes(bits)


def _log_odds(chance: float) -> float:
    return round(float(np.log(chance / (1 - chance))), 6)


def _unit(largest: float, most: int) -> float:
    """The step of whole numbers that reach so far, to six figures."""
    return float(f"{max(largest, 1e-6) / most * 1.001:.6g}")
