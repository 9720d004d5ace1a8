"""The estimate: how much is to be gained from asking a strong model, from the words of the request alone."""

from dataclasses import dataclass
from importlib import resources
from math import exp
from typing import Self

from shared.routing.complexity import features, ngrams, trees
from shared.routing.complexity.dense import DENSE, dense
from shared.routing.complexity.lexicon import index
from shared.routing.complexity.reading import read
from shared.routing.complexity.weights import FILE, GRAMS, Weights, decode

FEATURES = len(DENSE)

LEAST_FAMILIAR = 0.3
"""Below this share of words that training has met, the score is not relied on."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`score`: by how much a strong model's answer is expected to beat a weak one's, in shares of a right answer.

    0 means that the weak model is as good, 1 that it fails where the strong one succeeds; what is measured lies below
    0.5. `sure` is False where the score has not been seen to tell requests apart: unfamiliar words, or the middle.
    `features` is FEATURES long, each in [0, 1], the score first (the names: `DENSE`).
    """

    score: float
    sure: bool
    features: tuple[float, ...]


class Complexity:
    """The trained estimate. It holds no state but its weights, and any number of threads may share it."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._groups = index()

    @classmethod
    def load(cls) -> Self:
        """Read the weights that come with the package. Raises ValueError when they do not fit the code."""
        return cls(decode((resources.files(__package__) / FILE).read_bytes()))

    def estimate(self, text: str) -> Estimate:
        """Judge a text of any length and script. Pure, no I/O; the work is bounded by `reading`."""
        weights = self._weights
        reading = read(text)
        lexical = features.lexical(reading, self._groups)
        codes = ngrams.codes(reading.words)
        grams = ngrams.score(weights.grams, ngrams.rows(reading.words, codes, GRAMS))
        odds = weights.base + weights.leaf_unit * trees.score(weights.trees, lexical) + weights.gram_unit * grams
        score = expected_gain(weights.slope * odds + weights.shift)
        familiar = ngrams.familiarity(weights.seen, reading.words, codes)
        sure = familiar >= LEAST_FAMILIAR and not weights.low <= score <= weights.high
        return Estimate(score, sure, dense(score, familiar, lexical))


def expected_gain(odds: float) -> float:
    """From the log odds that the strong answer is the better one (ties half) to the gain, none below 0."""
    return max(0.0, 2.0 / (1.0 + exp(-odds)) - 1.0)
