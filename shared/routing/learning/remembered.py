"""Recent requests whose outcome or feedback may still come: the latest few thousand, the oldest forgotten first."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

from shared.domain.models import Layer

MOST = 10_000

Key = tuple[str, str]
"""Whose request it was, and its id: callers may send the same id, and must not reach each other's."""


@dataclass(slots=True)
class Request:
    """What was known of a request, the layer that served it, the caller's vote, and the vote as it was learned.

    `places`: at each step up that was considered, the rank of its expected gain.
    """

    x: "array[float]"
    score: float
    places: dict[str, float] = field(default_factory=dict)
    served: Layer | None = None
    vote: float | None = None
    learned_vote: tuple[Layer, float] | None = None


class Remembered:
    """The latest requests by caller and id."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._requests: OrderedDict[Key, Request] = OrderedDict()

    def __len__(self) -> int:
        return len(self._requests)

    def put(self, key: Key, request: Request) -> None:
        """Remember a request, in place of an earlier one of the same key."""
        self._requests[key] = request
        self._requests.move_to_end(key)
        while len(self._requests) > self._most:
            self._requests.popitem(last=False)

    def get(self, key: Key) -> Request | None:
        """The request, as long as it is remembered."""
        return self._requests.get(key)
