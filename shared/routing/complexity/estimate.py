"""The estimate: how much is to be gained from asking a strong model, from the words of the request alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from math import exp
from typing import Self

from shared.routing.complexity import features, ngrams, trees
from shared.routing.complexity.dense import DENSE, dense
from shared.routing.complexity.lexicon import index
from shared.routing.complexity.reading import read
from shared.routing.complexity.weights import FILE, GRAMS, HARDNESS_FILE, Weights, decode

FEATURES = len(DENSE)

LEAST_FAMILIAR = 0.3
"""Below this share of words that training has met, the score is not relied on."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`score`: by how much a strong model's answer is expected to beat a weak one's, in shares of a right answer.

    0 means that the weak model is as good, 1 that it fails where the strong one succeeds; what is measured lies below
    0.5. `sure` is False where the score has not been seen to tell requests apart: unfamiliar words, or the middle.
    `hardness`: how likely a small model's answer falls short because the request is hard, 0 to 1; None where the words
    are unfamiliar. `features` is FEATURES long, each in [0, 1], the score first (the names: `DENSE`).
    """

    score: float
    sure: bool
    features: tuple[float, ...]
    hardness: float | None = None


class Complexity:
    """The trained estimate. It holds no state but its weights, and any number of threads may share it."""

    def __init__(self, weights: Weights, hardness: Weights) -> None:
        self._weights = weights
        self._hardness = hardness
        self._groups = index()

    @classmethod
    def load(cls) -> Self:
        """Read the weights that come with the package. Raises ValueError when they do not fit the code."""
        folder = resources.files(__package__)
        return cls(*(decode((folder / name).read_bytes()) for name in (FILE, HARDNESS_FILE)))

    def estimate(self, text: str) -> Estimate:
        """Judge a text of any length and script. Pure, no I/O; the work is bounded by `reading`."""
        weights = self._weights
        reading = read(text)
        lexical = features.lexical(reading, self._groups)
        codes = ngrams.codes(reading.words)
        touched = ngrams.rows(reading.words, codes, GRAMS)
        score = expected_gain(_odds(weights, lexical, touched))
        familiar = ngrams.familiarity(weights.seen, reading.words, codes)
        known = familiar >= LEAST_FAMILIAR
        hardness = chance(_odds(self._hardness, lexical, touched)) if known else None
        sure = known and not weights.low <= score <= weights.high
        return Estimate(score, sure, dense(score, familiar, lexical), hardness)


def _odds(weights: Weights, lexical: Sequence[float], touched: Sequence[int]) -> float:
    """The log odds that weights give to the features of a text and the rows of its n-grams."""
    leaves, grams = trees.score(weights.trees, lexical), ngrams.score(weights.grams, touched)
    return weights.slope * (weights.base + weights.leaf_unit * leaves + weights.gram_unit * grams) + weights.shift


def expected_gain(odds: float) -> float:
    """From the log odds that the strong answer is the better one (ties half) to the gain, none below 0."""
    return max(0.0, 2.0 * chance(odds) - 1.0)


def chance(odds: float) -> float:
    """From log odds to a chance."""
    return 1.0 / (1.0 + exp(-odds))
