"""What was learned, as it is kept, and how processes that learned side by side are brought together. Pure."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.models import Layer
from shared.domain.wire import Wire
from shared.routing.learning.head import FIRM, LARGEST
from shared.routing.learning.proof import SUMS
from shared.routing.learning.quantiles import KEPT

DIGITS = 5
MOST_INPUTS = 128
MOST_STEPS = 16
FIRMEST = 1e6

Mean = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Precision = Annotated[float, Field(ge=FIRM, le=FIRMEST)]
Evidence = Annotated[float, Field(ge=0, le=1e12)]
Score = Annotated[float, Field(allow_inf_nan=False)]
Place = Annotated[float, Field(ge=0, le=1)]
Sums = Annotated[list[Evidence], Field(min_length=SUMS, max_length=SUMS)]


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


class ProofState(Wire):
    """The sums of a step's two lines."""

    lower: Sums
    upper: Sums

    def towards(self, other: "ProofState", part: float) -> "ProofState":
        """So far on the way from this one to the other, as of a head."""
        return ProofState(lower=_between(self.lower, other.lower, part), upper=_between(self.upper, other.upper, part))


class State(Wire):
    """Everything that is kept: the heads, all of one size, how much they ever learned, and by step the latest scores and
    the proof.

    With at most 4 heads of 128 numbers twice and 16 steps of 64 scores it stays under 48 kB of JSON.
    """

    version: Literal[2] = 2
    size: Annotated[int, Field(ge=0, le=MOST_INPUTS)]
    learned: Evidence
    heads: dict[Layer, HeadState]
    recent: Annotated[dict[str, Annotated[list[Score], Field(max_length=KEPT)]], Field(max_length=MOST_STEPS)]
    proofs: Annotated[dict[str, ProofState], Field(max_length=MOST_STEPS)]

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
    places: Annotated[dict[str, Place], Field(max_length=MOST_STEPS, default_factory=dict)]


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
    proofs = {**stored.proofs, **mine.proofs}
    for step in mine.proofs.keys() & stored.proofs.keys():
        proofs[step] = mine.proofs[step].towards(stored.proofs[step], others / (new + others))
    learned = round(stored.learned + new, DIGITS)
    return State(size=mine.size, learned=learned, heads=heads, recent=mine.recent, proofs=proofs)


def _between(mine: list[float], other: list[float], part: float) -> list[float]:
    return [round(a + (b - a) * part, DIGITS) for a, b in zip(mine, other, strict=True)]
