"""Streams of requests with known answers of a weak and a strong model, and how well a router spread them."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.router.rows import Row, load
from scripts.router.training import Matrix, calibrated, held_out
from shared.routing.complexity.estimate import Complexity, Estimate, expected_gain

RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what routing sees of it, and how good the two answers would be. `dollars`: what strong costs more."""

    id: str
    kind: str
    source: str
    tokens: int
    estimate: Estimate
    weak: float
    strong: float

    @property
    def dollars(self) -> float:
        """At $10 for a million input tokens, four times that for output, and 100 tokens of answer."""
        return (self.tokens + 400) * 1e-5


def requests(folder: Path) -> list[Asked]:
    """All rows; the estimate of each comes from weights that saw no row of its kind."""
    rows, complexity = load(folder), Complexity.load()
    data = Matrix.of(rows)
    odds = held_out(data, data.folds)
    known = data.measured
    slope, shift = calibrated(odds[known], data.target[known], data.weight[known])
    return [_asked(row, expected_gain(slope * float(o) + shift), complexity) for row, o in zip(rows, odds, strict=True)]


def _asked(row: Row, score: float, complexity: Complexity) -> Asked:
    features = complexity.estimate(row.prompt).features[2:]  # the first two are trained
    estimate = Estimate(score, True, (score, 1.0, *features))
    weak, strong = float(row.weak >= 0.5), float(row.strong >= 0.5)
    return Asked(row.id, row.kind, row.source, len(row.prompt) // 4 + 1, estimate, weak, strong)


@dataclass(slots=True)
class Tally:
    """What each request brought, over orders and shares: gain had, gain possible, cost had, cost possible."""

    sums: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0] * 4))

    def add(self, served: Iterable[tuple[Asked, bool]], *, in_dollars: bool = False) -> None:
        """Take in who was served by the strong model."""
        for asked, strong in served:
            cost = asked.dollars if in_dollars else 1.0
            gain = asked.strong - asked.weak
            for place, value in enumerate((gain * strong, gain, cost * strong, cost)):
                self.sums[asked.id][place] += value

    def score(self) -> tuple[float, float, float]:
        """Mean of recovered gain beyond what the same cost recovers at random, plus 0.5 (APGR), and its 95 % interval."""
        rows = list(self.sums.values())
        chance = random.Random(1)
        again = sorted(_apgr(chance.choices(rows, k=len(rows))) for _ in range(RESAMPLES))
        return _apgr(rows), again[int(0.025 * RESAMPLES)], again[int(0.975 * RESAMPLES)]


def _apgr(rows: Sequence[Sequence[float]]) -> float:
    gained, possible, spent, most = (sum(column) for column in zip(*rows, strict=True))
    return 0.5 + gained / possible - spent / most
