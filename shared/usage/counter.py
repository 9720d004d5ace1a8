"""What one budget has spent and holds in one period, as far as this process knows."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.usage.periods import Span

NOTHING = Decimal(0)


@dataclass(slots=True)
class Counter:
    """`confirmed` is what Redis, the database or this process has counted for certain, `unsent` what Redis has yet to
    hear of, `held` what open reservations of this process hold. `recorded` sums the usage rows up to id `row`. `told`
    is what Redis said last. While Redis is away, in the outage `epoch`, `share` is what this process may spend and `used`
    what it has of that; `seed` is what a Redis that has lost everything is to begin from.
    """

    budget_id: str
    span: Span
    opened: datetime
    confirmed: Decimal = NOTHING
    unsent: Decimal = NOTHING
    held: Decimal = NOTHING
    recorded: Decimal = NOTHING
    row: int = 0
    told: Decimal = NOTHING
    seed: Decimal | None = None
    epoch: str = ""
    share: Decimal = NOTHING
    used: Decimal = NOTHING

    @property
    def key(self) -> str:
        """Its name among those of all budgets and periods."""
        return f"{self.budget_id}:{self.span.name}"

    @property
    def spent(self) -> Decimal:
        """Everything that is known to be spent."""
        return self.confirmed + self.unsent

    def confirm(self, spent: Decimal) -> None:
        """Somebody who counts for all says that so much is spent; what is known already is never forgotten."""
        self.confirmed = max(self.confirmed, spent)

    def hear(self, spent: Decimal) -> None:
        """Redis says that so much is spent."""
        self.told = max(self.told, spent)
        self.confirm(spent)

    def record(self, spent: Decimal, row: int) -> None:
        """The usage rows up to that id come to so much; some of it this process may have counted itself."""
        self.recorded, self.row = spent, row
        self.confirm(spent - self.unsent)
