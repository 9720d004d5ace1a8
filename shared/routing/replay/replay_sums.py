"""What replayed requests come to together: sums, groups of the same change, and a few examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.routing.replay.replaying import Replayed

EXAMPLES = 10
GROUPS = 100

Change = tuple[str | None, str | None]
"""The models then and now; None for no answer."""


@dataclass(slots=True)
class Costs:
    """US dollars: all that was spent `then`, as far as prices were known, and what would be `now`. `not_known` requests
    are not in that, since their cost is not known on both sides; they came to `not_known_then`.
    """

    then: Decimal = Decimal(0)
    now: Decimal = Decimal(0)
    not_known: int = 0
    not_known_then: Decimal = Decimal(0)

    def add(self, replayed: Replayed) -> None:
        """Take a request in."""
        self.then += replayed.spent
        if replayed.then.cost is None or replayed.now.cost is None:
            self.not_known += 1
            self.not_known_then += replayed.spent
        else:
            self.now += replayed.now.cost


@dataclass(slots=True)
class Group:
    """Requests with the same change."""

    requests: int = 0
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True)
class Example:
    """One request whose model changes. The command line's own have no id."""

    request_id: str
    at: datetime
    replayed: Replayed


@dataclass(slots=True)
class Sums:
    """All that was replayed so far. `unreadable` decisions are of another version."""

    requests: int = 0
    unreadable: int = 0
    changed: int = 0
    unanswerable: int = 0
    rescued: int = 0
    failed_then: int = 0
    failed_now: int = 0
    costs: Costs = field(default_factory=Costs)
    groups: dict[Change, Group] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def add(self, request_id: str, at: datetime, replayed: Replayed) -> None:
        """Take a request in."""
        then, now = replayed.then, replayed.now
        self.requests += 1
        self.failed_then += then.failed
        self.failed_now += now.failed
        self.costs.add(replayed)
        if then.model == now.model:
            return
        self.changed += 1
        self.unanswerable += now.model is None
        self.rescued += then.model is None
        group = self.groups.setdefault((then.model, now.model), Group())
        group.requests += 1
        group.costs.add(replayed)
        if group.requests <= 2 and len(self.examples) < EXAMPLES:
            self.examples.append(Example(request_id, at, replayed))

    def largest(self) -> Sequence[tuple[Change, Group]]:
        """The groups with the most requests."""
        return sorted(self.groups.items(), key=lambda item: -item[1].requests)[:GROUPS]
