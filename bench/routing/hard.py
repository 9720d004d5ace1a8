"""What the router calls hard: how much of which tier, and what a strong model gains there."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.routing.scoring import Interval, Judged, interval
from scripts.router.boosting import Array, sigmoid
from scripts.router.rows import TIERS, Row
from shared.routing.policy import HARD

KINDS = {
    "MATH": ("math",),
    "code": ("human_eval", "mbpp"),
    "GPQA": ("gpqa",),
    "GSM8K": ("gsm8k",),
    "MMLU": ("mmlu",),
    "trivia": ("trivia_qa", "natural_qa"),
}
"""Kinds of benchmark questions that are shown apart."""


def hard(rows: list[Row], odds: Array, sample: Judged, *, whole_kinds: bool) -> Mapping[str, str]:
    """Figures by name, from held-out log odds of the hardness. `sample` holds the measured rows."""
    called = sigmoid(odds) >= HARD
    tier, kind = np.array([row.tier for row in rows]), np.array([row.kind for row in rows])
    shares = {name: _share(called[tier == name]) for name in TIERS}
    shares |= {name: _share(called[np.isin(kind, kinds)]) for name, kinds in KINDS.items()}
    found = called[tier == ""]
    counts = np.vstack([np.ones(len(found)), sample.resamples(whole_kinds=whole_kinds)])
    with np.errstate(invalid="ignore"):
        above, below = (counts[:, at] @ sample.gain[at] / counts[:, at].sum(1) for at in (found, ~found))
    return {
        **shares,
        "benchmark questions": _share(found),
        "gain where hard": str(_interval(above)),
        "gain elsewhere": str(_interval(below)),
        "difference": str(_interval(above - below)),
    }


def _share(called: NDArray[np.bool_]) -> str:
    return f"{float(called.mean()):.1%}"


def _interval(means: Array) -> Interval:
    return interval(float(means[0]), means[1:][~np.isnan(means[1:])].tolist())
