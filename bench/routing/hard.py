"""What the router calls hard: how much of which tier, and what a strong model gains there."""

from collections.abc import Mapping

import numpy as np

from bench.routing.scoring import Interval, Judged, interval
from scripts.router.boosting import Array, sigmoid
from scripts.router.rows import TIERS, Row
from shared.routing.complexity.weights import Weights
from shared.routing.policy import HARD


def hard(rows: list[Row], odds: Array, weights: Weights, sample: Judged, *, whole_kinds: bool) -> Mapping[str, str]:
    """Figures by name, from held-out log odds and the shipped calibration. `sample` holds the measured rows."""
    gains = 2 * sigmoid(weights.slope * odds + weights.shift) - 1
    tier = np.array([row.tier for row in rows])
    shares = {name: f"{float((gains[tier == name] >= HARD).mean()):.1%}" for name in TIERS}
    found = gains[tier == ""] >= HARD
    counts = np.vstack([np.ones(len(found)), sample.resamples(whole_kinds=whole_kinds)])
    with np.errstate(invalid="ignore"):
        above, below = (counts[:, at] @ sample.gain[at] / counts[:, at].sum(1) for at in (found, ~found))
    return {
        **shares,
        "benchmark questions": f"{float(found.mean()):.1%}",
        "gain where hard": str(_interval(above)),
        "gain elsewhere": str(_interval(below)),
        "difference": str(_interval(above - below)),
    }


def _interval(means: Array) -> Interval:
    return interval(float(means[0]), means[1:][~np.isnan(means[1:])].tolist())
