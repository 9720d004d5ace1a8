"""What was learned, as it is kept, and how processes that learned side by side are brought together. Pure."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.models import Layer
from shared.domain.wire import Wire
from shared.routing.learning.head import FIRM, LARGEST
from shared.routing.learning.quantiles import KEPT

DIGITS = 5
MOST_INPUTS = 128
MOST_STEPS = 16
FIRMEST = 1e6

Mean = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Precision = Annotated[float, Field(ge=FIRM, le=FIRMEST)]
Evidence = Annotated[float, Field(ge=0, le=1e12)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class HeadState(Wire):
    """One layer's head."""

    means: list[Mean]
    precisions: list[Precision]
    seen: Evidence

    def towards(self, other: "HeadState", part: float) -> "HeadState":
        """So far on the way from this one to the other: 0 is this one, 1 the other."""
        return HeadState(
            means=_between(self.means, other.means, part),
            precisions=_between(self.precisions, other.precisions, part),
            seen=self.seen + (other.seen - self.seen) * part,
        )


class State(Wire):
    """Everything that is kept: the heads, all of one size, how much they ever learned, and the latest scores by step.

    With at most 4 heads of 128 numbers twice and 16 steps of 64 scores it stays under 48 kB of JSON.
    """

    version: Literal[1] = 1
    size: Annotated[int, Field(ge=0, le=MOST_INPUTS)]
    learned: Evidence
    heads: dict[Layer, HeadState]
    recent: Annotated[dict[str, Annotated[list[Score], Field(max_length=KEPT)]], Field(max_length=MOST_STEPS)]

    @model_validator(mode="after")
    def _of_one_size(self) -> Self:
        if any(len(head.means) != self.size or len(head.precisions) != self.size for head in self.heads.values()):
            raise ValueError("the heads must be of the size that is named")
        return self


class KeptRequest(Wire):
    """What a vote needs of a request that is no longer remembered."""

    x: Annotated[list[Score], Field(max_length=MOST_INPUTS)]
    score: Score
    layer: Layer


def merged(mine: State, stored: State | None, *, common: float) -> State:
    """What two processes learned since they last had the same: each counts by how much it has learned since.

    `common` is what `learned` was then. A stored one of another size, or that knows no more than that, changes nothing.
    """
    if stored is None or stored.size != mine.size or stored.learned <= common:
        return mine
    new, others = mine.learned - common, stored.learned - common
    heads = {**stored.heads, **mine.heads}
    for layer in mine.heads.keys() & stored.heads.keys():
        heads[layer] = mine.heads[layer].towards(stored.heads[layer], others / (new + others))
    return State(size=mine.size, learned=round(stored.learned + new, DIGITS), heads=heads, recent=mine.recent)


def _between(mine: list[float], other: list[float], part: float) -> list[float]:
    return [round(a + (b - a) * part, DIGITS) for a, b in zip(mine, other, strict=True)]
