"""One head per layer; an outcome teaches the head of the layer that served, and no other."""

from collections.abc import Sequence

from shared.domain.models import Layer
from shared.routing.learning.head import FIRM, LARGEST, Head, prior
from shared.routing.learning.rewards import Lesson
from shared.routing.learning.state import DIGITS, FIRMEST, HeadState, State
from shared.structured import get_logger

log = get_logger(__name__)


class Heads:
    """The heads of all layers. `learned` is the weight of all outcomes ever learned, in every process.

    `x` must have the same length each time; when that changes the estimate has, and everything starts afresh.
    """

    def __init__(self) -> None:
        self.learned = 0.0
        self._size = 0
        self._heads: dict[Layer, Head] = {}

    def fit(self, size: int) -> None:
        """Be of this size from now on."""
        if size == self._size:
            return
        if self._heads:
            log.warning("the estimate has changed; what the router has learned starts afresh", size=size)
        self._size = size
        self._heads.clear()

    def good(self, layer: Layer, x: Sequence[float], score: float) -> float:
        """The probability that an answer of the layer is good enough; `score` is the estimate's."""
        return self._head(layer).good(x, prior(layer, score))

    def seen(self, layer: Layer) -> float:
        """The weight of the outcomes of a layer that still count."""
        return self._head(layer).seen

    def learn(self, layer: Layer, x: Sequence[float], score: float, lesson: Lesson) -> None:
        """Take in what came of an answer of the layer."""
        if len(x) == self._size:
            self._head(layer).learn(x, prior(layer, score), reward=lesson.reward, weight=lesson.weight)
            self.learned = round(self.learned + lesson.weight, DIGITS)

    def revise(self, layer: Layer, x: Sequence[float], score: float, change: Lesson) -> None:
        """Change an outcome learned before: its reward by this much, at this weight."""
        if len(x) == self._size:
            self._head(layer).revise(x, prior(layer, score), by=change.reward, weight=change.weight)

    def state(self, recent: dict[str, list[float]]) -> State:
        """Everything as it is kept, beside the recent scores."""
        heads = {layer: _state_of(head) for layer, head in self._heads.items()}
        return State(size=self._size, learned=self.learned, heads=heads, recent=recent)

    def restore(self, state: State) -> None:
        """Go on from what was kept."""
        self._size, self.learned = state.size, state.learned
        self._heads = {layer: _head_of(kept) for layer, kept in state.heads.items()}

    def catch_up(self, before: State, now: State) -> None:
        """Move by what others learned: from what this process had when it looked to what is stored now."""
        if now.size != self._size:
            return
        self.learned = round(self.learned + now.learned - before.learned, DIGITS)
        for layer, kept in now.heads.items():
            head, old = self._head(layer), before.heads.get(layer) or _state_of(Head(now.size))
            head.means = _moved(head.means, old.means, kept.means, low=-LARGEST, high=LARGEST)
            head.precisions = _moved(head.precisions, old.precisions, kept.precisions, low=FIRM, high=FIRMEST)
            head.seen = max(head.seen + kept.seen - old.seen, 0.0)

    def _head(self, layer: Layer) -> Head:
        return self._heads.setdefault(layer, Head(self._size))


def _moved(mine: list[float], old: list[float], new: list[float], *, low: float, high: float) -> list[float]:
    return [min(max(a + c - b, low), high) for a, b, c in zip(mine, old, new, strict=True)]


def _state_of(head: Head) -> HeadState:
    return HeadState(
        means=[round(value, DIGITS) for value in head.means],
        precisions=[round(value, DIGITS) for value in head.precisions],
        seen=round(head.seen, DIGITS),
    )


def _head_of(kept: HeadState) -> Head:
    head = Head(0)
    head.means, head.precisions, head.seen = list(kept.means), list(kept.precisions), kept.seen
    return head
