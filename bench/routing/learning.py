"""Does learning from outcomes pay? Streams of requests through the product's learner, which sees only what was served.

    PYTHONPATH=. .venv/bin/python -m bench.routing.learning DATA

The prior of each kind of task comes from weights that were trained without that kind. Needs numpy; about five minutes.
"""

import argparse
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter

import structlog

from bench.routing.streams import Asked, Tally, requests
from shared.domain.identity import LOCAL
from shared.domain.models import Layer
from shared.domain.routing import Facts, RoutingOptions
from shared.domain.shares import parse_shares
from shared.routing.learning.learner import Learner
from shared.routing.learning.quantiles import RecentScores
from shared.routing.learning.rewards import Outcome

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
ORDERS = 3
OPTIONS = RoutingOptions()
GOOD, BAD, SHOWN = Outcome(verdict="confirmed"), Outcome(verdict="corrected"), Outcome(shortcoming="empty")
SILENT = Outcome()

Served = list[tuple[Asked, bool]]
Router = Callable[[Sequence[Asked], float, random.Random], Served]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """How much is learned of what was served: the part of all answers that is checked, that gets a caller's vote, and
    the part of the bad ones that shows by itself (truncated, empty, invalid). The rest is silence.
    """

    checked: float = 0.0
    voted: float = 0.0
    shows: float = 0.0


def by_rank(worth: Callable[[Asked], float], stream: Sequence[Asked], share: float, _: random.Random) -> Served:
    """The requests whose worth stands high among the recent ones."""
    recent = RecentScores()
    return [(asked, bool(recent.highest(worth(asked), share))) for asked in stream]


def by_learning(
    signals: Signals, stream: Sequence[Asked], share: float, chance: random.Random, *, priced: bool = False
) -> Served:
    """The product's learner, told only what came of the model that served."""
    learner = Learner("on", parse_shares(f"L0={100 * (1 - share):.1f},L3={100 * share:.1f}"))
    served = []
    for number, asked in enumerate(stream):
        caller = replace(LOCAL, request_id=str(number))
        facts = Facts(model="auto", options=OPTIONS, prompt_tokens=asked.tokens)
        more = Decimal(str(asked.dollars)) if priced else None
        costs: dict[Layer, Decimal | None] = {"L0": Decimal(0) if priced else None, "L3": more}
        choice = learner.start(caller, facts, estimate=asked.estimate, usual="L0", costs=costs)
        layer: Layer = choice.layer if choice else "L0"
        good = asked.strong if layer == "L3" else asked.weak
        learner.outcome(caller, layer, _outcome(signals, good, chance) if asked.source != "tiers" else SILENT)
        if chance.random() < signals.voted:
            learner.vote(caller.id, caller.request_id, good)
        served.append((asked, layer == "L3"))
    return served


def _outcome(signals: Signals, good: float, chance: random.Random) -> Outcome:
    if chance.random() < signals.checked:
        return GOOD if good else BAD
    return SHOWN if not good and chance.random() < signals.shows else SILENT


def measured(stream: Sequence[Asked], router: Router, *, in_dollars: bool = False) -> str:
    """APGR over the second half of each order, at every share."""
    tally = Tally()
    for order in range(ORDERS):
        chance = random.Random(order)
        shuffled = chance.sample(stream, len(stream))
        for share in SHARES:
            tally.add(router(shuffled, share, chance)[len(stream) // 2 :], in_dollars=in_dollars)
    return "{:.3f} ({:.3f} to {:.3f})".format(*tally.score())


ROUTERS: dict[str, Router] = {
    "prior alone": partial(by_rank, lambda asked: asked.estimate.score),
    "learning, no feedback": partial(by_learning, Signals(shows=0.1)),
    "learning, 3 % scored": partial(by_learning, Signals(voted=0.03, shows=0.1)),
    "learning, 10 % scored": partial(by_learning, Signals(voted=0.1, shows=0.1)),
    "learning, 30 % scored": partial(by_learning, Signals(voted=0.3, shows=0.1)),
    "learning, all scored": partial(by_learning, Signals(voted=1, shows=0.1)),
    "learning, 30 % checked": partial(by_learning, Signals(checked=0.3)),
    "learning, every outcome known": partial(by_learning, Signals(checked=1)),
    "oracle": partial(by_rank, lambda asked: asked.strong - asked.weak),
}


def main() -> None:
    """Print the tables of LEARNING.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    found = requests(parser.parse_args().data)
    outcomes = [asked for asked in found if asked.source != "tiers"]
    streams = {
        "pairs": [asked for asked in outcomes if asked.source == "pairs"],
        "models": [asked for asked in outcomes if asked.source == "models"],
        "both": outcomes,
    }
    _of_learning(streams)
    _of_dollars(streams)
    _of_layers(streams)
    _of_drift(found)
    _of_time(streams["pairs"])


def _of_learning(streams: dict[str, list[Asked]]) -> None:
    print("| router | " + " | ".join(f"{name}, {len(stream)}" for name, stream in streams.items()) + " |")
    print("|---" * (len(streams) + 1) + "|")
    for name, router in ROUTERS.items():
        print(f"| {name} | " + " | ".join(measured(stream, router) for stream in streams.values()) + " |", flush=True)


def _of_dollars(streams: dict[str, list[Asked]]) -> None:
    print("\n| ranked by | " + " | ".join(streams) + " |")
    print("|---" * (len(streams) + 1) + "|")
    for name, priced in (("gain", False), ("gain per dollar", True)):
        router = partial(by_learning, Signals(checked=1), priced=priced)
        cells = [measured(stream, router, in_dollars=True) for stream in streams.values()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _of_layers(streams: dict[str, list[Asked]]) -> None:
    """Right answers when 30 % go to the strong model."""
    print("\n| 30 % strong: right answers | " + " | ".join(streams) + " |")
    print("|---" * (len(streams) + 1) + "|")
    fixed: dict[str, Router] = {
        "always weak": lambda stream, *_: [(asked, False) for asked in stream],
        "random": lambda stream, share, chance: [(asked, chance.random() < share) for asked in stream],
        "prior alone": ROUTERS["prior alone"],
        "learning, every outcome known": ROUTERS["learning, every outcome known"],
        "oracle": ROUTERS["oracle"],
        "always strong": lambda stream, *_: [(asked, True) for asked in stream],
    }
    for name, router in fixed.items():
        print(f"| {name} | " + " | ".join(_right(stream, router) for stream in streams.values()) + " |", flush=True)


def _right(stream: Sequence[Asked], router: Router) -> str:
    served: Served = []
    for order in range(ORDERS):
        chance = random.Random(order)
        served += router(chance.sample(stream, len(stream)), 0.3, chance)[len(stream) // 2 :]
    right = sum(asked.strong if strong else asked.weak for asked, strong in served) / len(served)
    return f"{right:.3f} at {sum(strong for _, strong in served) / len(served):.0%}"


def _of_drift(found: Sequence[Asked]) -> None:
    """Everyday requests, then maths, then everyday ones again; the share that went to the strong model."""
    chance = random.Random(1)
    everyday = [asked for asked in found if asked.source == "tiers"]
    maths = [asked for asked in found if asked.kind in ("gsm8k", "math")]
    phases = [chance.sample(everyday, 1_000), chance.sample(maths, 1_000), chance.sample(everyday, 1_000)]
    stream = [asked for phase in phases for asked in phase]
    threshold = sorted(asked.estimate.score for asked in phases[0])[700]
    ways: dict[str, Served] = {
        "fixed threshold": [(asked, asked.estimate.score > threshold) for asked in stream],
        "rolling quantile": by_rank(lambda asked: asked.estimate.score, stream, 0.3, chance),
        "learner, every outcome known": by_learning(Signals(checked=1), stream, 0.3, chance),
    }
    print("\n| share of strong | everyday | maths: first 250 | next 750 | everyday: first 250 | next 750 |")
    print("|---" * 6 + "|")
    for name, served in ways.items():
        parts = (served[32:1000], served[1000:1250], served[1250:2000], served[2000:2250], served[2250:])
        shares = (sum(strong for _, strong in part) / len(part) for part in parts)
        print(f"| {name} | " + " | ".join(f"{share:.0%}" for share in shares) + " |", flush=True)


def _of_time(stream: Sequence[Asked]) -> None:
    began = perf_counter()
    by_learning(Signals(checked=1), stream, 0.3, random.Random(1))
    print(f"\nA start and an outcome together: {(perf_counter() - began) / len(stream) * 1000:.3f} ms.")


if __name__ == "__main__":
    main()
