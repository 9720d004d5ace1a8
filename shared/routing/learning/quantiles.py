"""Whether a score is among the highest of late: what lets a share hold although traffic and scores change."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable

WINDOW = 256
FEWEST = 32
KEPT = 64

REPAID = 64
"""A share that is so many requests behind, or ahead, is made up for by taking all that come, or none."""

GOLDEN = 0.6180339887498949
"""Steps of the golden ratio spread evenly over 0 to 1, and need no random numbers."""


class RecentScores:
    """The last WINDOW scores, in order of time and in order of size, and how far the share is behind."""

    def __init__(self, scores: Iterable[float] = ()) -> None:
        self._latest = deque(scores, maxlen=WINDOW)
        self._sorted = sorted(self._latest)
        self._behind = 0.0
        self._turn = 0.0
        self._asked = 0

    def highest(self, score: float, share: float) -> bool | None:
        """Whether a score is among the highest `share` of the recent ones; None while there are too few of them.

        Then it is one of them. While learning moves all scores one way, or the traffic turns, their order alone would
        let too many pass or too few; what is behind is made up for. Equal scores are told apart by turns.
        """
        passes = self.look(score, share)
        self._turn = (self._turn + GOLDEN) % 1
        if passes is not None:
            self._behind = min(max(self._behind + share - passes, -REPAID), REPAID)
        if len(self._latest) == WINDOW:
            self._sorted.pop(bisect_left(self._sorted, self._latest[0]))
        self._latest.append(score)
        insort(self._sorted, score)
        return passes

    def look(self, score: float, share: float) -> bool | None:
        """The same, without keeping the score."""
        place = self.place(score)
        if place is None:
            return None
        return share >= 1 or (share > 0 and place + self._behind / REPAID >= 1 - share)

    def place(self, score: float) -> float | None:
        """The rank of a score among the recent ones, from 0, the lowest, to 1; None while there are too few."""
        if len(self._latest) < FEWEST:
            return None
        below, upto = bisect_left(self._sorted, score), bisect_right(self._sorted, score)
        return (below + self._turn * (upto - below + 1)) / (len(self._sorted) + 1)

    def lot(self, share: float, one_in: int) -> bool | None:
        """Whether the lot is for this request, whatever its score; None unless it is the one of `one_in` that is drawn."""
        self._asked += 1
        drawn, rest = divmod(self._asked, one_in)
        return None if rest else drawn * GOLDEN % 1 < share

    @property
    def latest(self) -> list[float]:
        """The last KEPT, oldest first: enough to go on with after a restart."""
        return list(self._latest)[-KEPT:]
