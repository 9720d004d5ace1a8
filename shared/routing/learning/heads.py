"""One head per layer, which only outcomes of that layer teach, and one proof per step between layers."""

from collections.abc import Iterator, Mapping, Sequence

from shared.domain.models import Layer
from shared.routing.learning.head import FIRM, LARGEST, Head, prior
from shared.routing.learning.proof import Line, Proof
from shared.routing.learning.rewards import Lesson
from shared.routing.learning.state import DIGITS, FIRMEST, HeadState, ProofState, State
from shared.structured import get_logger

log = get_logger(__name__)


class Heads:
    """The heads of all layers, and the proofs by the names of the steps. `learned` is the weight of all outcomes ever learned, in every process.

    `x` must have the same length each time, the `size`, which is 0 until the first; when it changes, the estimate has,
    and everything starts afresh.
    """

    def __init__(self) -> None:
        self.learned = 0.0
        self.size = 0
        self._heads: dict[Layer, Head] = {}
        self._proofs: dict[str, Proof] = {}

    def fit(self, size: int) -> None:
        """Be of this size from now on."""
        if size == self.size:
            return
        if self._heads:
            log.warning("the estimate has changed; what the router has learned starts afresh", size=size)
        self.size = size
        self._heads.clear()
        self._proofs.clear()

    def good(self, layer: Layer, x: Sequence[float], score: float) -> float:
        """The probability that an answer of the layer is good enough; `score` is the estimate's."""
        return self._head(layer).good(x, prior(layer, score))

    def seen(self, layer: Layer) -> float:
        """The weight of the outcomes of a layer that still count."""
        return self._head(layer).seen

    def proof(self, step: str) -> Proof:
        """What is known of a step; nothing at first."""
        return self._proofs.get(step) or Proof()

    def lines(self, places: Mapping[str, float], layer: Layer) -> Iterator[tuple[Line, float]]:
        """The lines that an outcome of a layer belongs to, with the place of the request on each."""
        for step, place in places.items():
            lower, upper = step.split("-")[:2]
            if layer in (lower, upper):
                proof = self._proofs.setdefault(step, Proof())
                yield (proof.lower if layer == lower else proof.upper), place

    @property
    def proofs(self) -> Mapping[str, Proof]:
        """All steps of which something is known."""
        return self._proofs

    def learn(self, layer: Layer, x: Sequence[float], score: float, lesson: Lesson) -> None:
        """Take in what came of an answer of the layer."""
        if len(x) == self.size:
            self._head(layer).learn(x, prior(layer, score), reward=lesson.reward, weight=lesson.weight)
            self.learned = round(self.learned + lesson.weight, DIGITS)

    def revise(self, layer: Layer, x: Sequence[float], score: float, change: Lesson) -> None:
        """Change an outcome learned before: its reward by this much, at this weight."""
        if len(x) == self.size:
            self._head(layer).revise(x, prior(layer, score), by=change.reward, weight=change.weight)

    def state(self, recent: dict[str, list[float]]) -> State:
        """Everything as it is kept, beside the recent scores."""
        heads = {layer: _state_of(head) for layer, head in self._heads.items()}
        proofs = {step: _state_of_proof(proof) for step, proof in self._proofs.items()}
        return State(size=self.size, learned=self.learned, heads=heads, recent=recent, proofs=proofs)

    def restore(self, state: State) -> None:
        """Go on from what was kept."""
        self.size, self.learned = state.size, state.learned
        self._heads = {layer: _head_of(kept) for layer, kept in state.heads.items()}
        self._proofs = {
            step: Proof(Line(list(kept.lower)), Line(list(kept.upper))) for step, kept in state.proofs.items()
        }

    def catch_up(self, before: State, now: State) -> None:
        """Move by what others learned: from what this process had when it looked to what is stored now."""
        if now.size != self.size:
            return
        self.learned = round(self.learned + now.learned - before.learned, DIGITS)
        for layer, kept in now.heads.items():
            head, old = self._head(layer), before.heads.get(layer) or _state_of(Head(now.size))
            head.means = _moved(head.means, old.means, kept.means, low=-LARGEST, high=LARGEST)
            head.precisions = _moved(head.precisions, old.precisions, kept.precisions, low=FIRM, high=FIRMEST)
            head.seen = max(head.seen + kept.seen - old.seen, 0.0)
        for step, sums in now.proofs.items():
            proof, former = self._proofs.setdefault(step, Proof()), before.proofs.get(step) or _state_of_proof(Proof())
            proof.lower.sums = _moved(proof.lower.sums, former.lower, sums.lower, low=0.0, high=FIRMEST)
            proof.upper.sums = _moved(proof.upper.sums, former.upper, sums.upper, low=0.0, high=FIRMEST)

    def _head(self, layer: Layer) -> Head:
        return self._heads.setdefault(layer, Head(self.size))


def _moved(mine: list[float], old: list[float], new: list[float], *, low: float, high: float) -> list[float]:
    return [min(max(a + c - b, low), high) for a, b, c in zip(mine, old, new, strict=True)]


def _state_of(head: Head) -> HeadState:
    return HeadState(
        means=[round(value, DIGITS) for value in head.means],
        precisions=[round(value, DIGITS) for value in head.precisions],
        seen=round(head.seen, DIGITS),
    )


def _state_of_proof(proof: Proof) -> ProofState:
    lower, upper = ([round(value, DIGITS) for value in line.sums] for line in (proof.lower, proof.upper))
    return ProofState(lower=lower, upper=upper)


def _head_of(kept: HeadState) -> Head:
    head = Head(0)
    head.means, head.precisions, head.seen = list(kept.means), list(kept.precisions), kept.seen
    return head
