"""Whatever part of the answers is scored, learning spends money at least as well as chance does.

Streams of requests with known chances of a good answer in both layers. The learner is told only what came of the layer
that served, of as many answers as callers score. What it brings is measured against the same money spent at random.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from shared.domain.models import Layer
from shared.domain.routing import Facts
from shared.domain.shares import parse_shares
from shared.routing.learning.learner import Learner
from shared.routing.learning.rewards import Outcome
from tests.support.estimates import FACTS, Looked, asking

LENGTH = 2_000
SEEDS = (1, 2, 3)
RATES = (0.0, 0.03, 0.3, 1.0)
SHOWS = 0.1
"""The part of the bad answers that shows by itself: cut off, empty, refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request: how frequent, what the estimate says, how likely L0 and L1 answer well, what L1 costs."""

    part: float
    score: float
    feature: float
    good: tuple[float, float]
    cost: float = 0.01


EVERYDAY = (
    Kind(part=0.5, score=0.02, feature=0.1, good=(0.96, 0.98)),
    Kind(part=0.3, score=0.2, feature=0.5, good=(0.8, 0.9)),
    Kind(part=0.2, score=0.45, feature=0.9, good=(0.2, 0.9)),
)
STREAMS: Mapping[str, Sequence[Kind]] = {
    "everyday": EVERYDAY,
    "the estimate is upside down": (
        Kind(part=0.5, score=0.45, feature=0.1, good=(0.96, 0.98)),
        Kind(part=0.3, score=0.2, feature=0.5, good=(0.8, 0.9)),
        Kind(part=0.2, score=0.02, feature=0.9, good=(0.2, 0.9)),
    ),
    "hard for both layers": (
        Kind(part=0.5, score=0.02, feature=0.1, good=(0.6, 0.95)),
        Kind(part=0.5, score=0.45, feature=0.9, good=(0.15, 0.2)),
    ),
    "nothing to know": (
        Kind(part=0.5, score=0.02, feature=0.1, good=(0.6, 0.8)),
        Kind(part=0.5, score=0.45, feature=0.9, good=(0.6, 0.8)),
    ),
    "what looks hard is dear": (
        Kind(part=0.5, score=0.02, feature=0.1, good=(0.6, 0.8)),
        Kind(part=0.5, score=0.45, feature=0.9, good=(0.55, 0.85), cost=0.1),
    ),
    "greetings are cut off most": (
        Kind(part=0.8, score=0.02, feature=0.1, good=(0.9, 0.92)),
        Kind(part=0.2, score=0.45, feature=0.9, good=(0.5, 0.9)),
    ),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """The parts of all that L1 could gain, and of all that it could cost, which a stream had, and the calls of L1."""

    gain: float
    cost: float
    calls: int

    @property
    def ahead(self) -> float:
        """How much more was gained than the same money gains at random."""
        return self.gain - self.cost


def spent(kinds: Sequence[Kind], rate: float, seed: int, *, shows: float = SHOWS) -> Spent:
    """Send a stream through a learner that is told of `rate` of the answers."""
    chance, made = random.Random(seed), Learner("on", parse_shares("L0=70,L1=30"))
    gained = possible = paid = most = 0.0
    calls = 0
    for number in range(LENGTH):
        kind = chance.choices(kinds, [kind.part for kind in kinds])[0]
        layer = _served(made, kind, str(number), chance)
        good = chance.random() < kind.good[layer == "L1"]
        visible = not good and chance.random() < shows
        made.outcome(asking(str(number)), layer, Outcome(shortcoming="truncated") if visible else Outcome())
        if chance.random() < rate:
            made.vote("local", str(number), float(good))
        gain = kind.good[1] - kind.good[0]
        possible, most = possible + gain, most + kind.cost
        if layer == "L1":
            gained, paid, calls = gained + gain, paid + kind.cost, calls + 1
    return Spent(gained / possible, paid / most, calls)


def _served(made: Learner, kind: Kind, request_id: str, chance: random.Random) -> Layer:
    features = (kind.feature + chance.uniform(-0.1, 0.1), *(chance.random() for _ in range(4)))
    looked = Looked(score=min(1.0, max(0.0, kind.score + chance.uniform(-0.05, 0.05))), features=features)
    costs: dict[Layer, Decimal | None] = {"L0": Decimal(0), "L1": Decimal(str(kind.cost))}
    facts: Facts = FACTS
    choice = made.start(asking(request_id), facts, estimate=looked, usual="L0", costs=costs)
    return choice.layer if choice else "L0"


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", STREAMS)
def test_it_is_never_worse_than_chance_at_equal_cost(name: str, rate: float) -> None:
    found = [spent(STREAMS[name], rate, seed) for seed in SEEDS]
    assert sum(one.ahead for one in found) / len(found) > -0.01


@pytest.mark.parametrize("name", STREAMS)
def test_without_feedback_nothing_starts_elsewhere(name: str) -> None:
    assert spent(STREAMS[name], 0.0, 1).calls == 0


@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize("name", ["everyday", "the estimate is upside down"])
def test_with_feedback_it_is_well_ahead_of_chance(name: str, rate: float) -> None:
    found = [spent(STREAMS[name], rate, seed) for seed in SEEDS]
    assert sum(one.ahead for one in found) / len(found) > 0.05
