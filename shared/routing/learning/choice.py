"""The layer to start at, from what each may be expected to bring and to cost. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from shared.domain.models import Layer
from shared.domain.shares import Shares

Passes = Callable[[str, float, float], "Passed | None"]
"""Whether a score is among the highest share of the recent ones at a named step; None while that step is not judged."""


class Passed(NamedTuple):
    """Whether the step is taken; `drawn` when the lot has said so, and not the score."""

    goes_up: bool
    drawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A layer that may be started at: how likely its answer is good enough, and the US dollars it is expected to cost."""

    layer: Layer
    good: float
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Choice:
    """The layer to start at, with the reason in words."""

    layer: Layer
    reason: str


def choose(options: Sequence[Option], shares: Shares, passes: Passes) -> Choice | None:
    """Climb from the cheapest layer while the step up is among those that pay most; None when the first is not judged.

    `options` are in order. A later step that is not judged is not taken. A step is taken by as many of the recent
    requests that came to it as the shares of the layers above it wish: those that bring the most for each dollar.
    """
    wanted = [option for option in options if shares[option.layer] > 0]
    if len(wanted) < 2:
        return None
    reason = ""
    for number, (lower, upper) in enumerate(pairwise(wanted)):
        above = _share_above(wanted, number, shares)
        name, worth = _worth(lower, upper)
        passed = passes(name, worth, above)
        if passed is None:
            return Choice(lower.layer, reason) if number else None
        reason = _reason(lower, upper, above, passed)
        if not passed.goes_up:
            return Choice(lower.layer, reason)
    return Choice(wanted[-1].layer, reason)


def _share_above(options: Sequence[Option], number: int, shares: Shares) -> float:
    """The part of those that come to a layer which should go beyond it."""
    rest = [shares[option.layer] for option in options[number:]]
    return sum(rest[1:]) / sum(rest)


def _worth(lower: Option, upper: Option) -> tuple[str, float]:
    """What the step up brings for each dollar; where it costs none, or nobody knows, what it brings.

    The two are no figures to compare with each other, so they are steps of different names.
    """
    gain = upper.good - lower.good
    more = _more(lower, upper)
    if more is None or more <= 0:
        return f"{lower.layer}-{upper.layer}", gain
    return f"{lower.layer}-{upper.layer}-paid", gain / float(more)


def _more(lower: Option, upper: Option) -> Decimal | None:
    return None if lower.cost is None or upper.cost is None else upper.cost - lower.cost


def _reason(lower: Option, upper: Option, above: float, passed: Passed) -> str:
    if passed.drawn:
        return f"a few requests go to {lower.layer} or {upper.layer} by lot, to learn what {upper.layer} gains"
    more = _more(lower, upper)
    price = f" for ${more:f} more" if more else ""
    return (
        f"a good answer is expected from {upper.layer} in {upper.good:.0%} of such cases and from {lower.layer} in "
        f"{lower.good:.0%}{price}; that is {'' if passed.goes_up else 'not '}among the {above:.0%} of recent requests that gain most"
    )
