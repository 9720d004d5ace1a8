"""What one budget has spent and holds in one period, as far as this process knows."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.usage.periods import Span

NOTHING = Decimal(0)


@dataclass(slots=True)
class Counter:
    """`confirmed` is what Redis, the database or this process has counted for certain, `unsent` what Redis has yet to
    hear of, `held` what open reservations of this process hold. `recorded` sums the usage rows up to id `row`.
    """

    budget_id: str
    span: Span
    opened: datetime
    confirmed: Decimal = NOTHING
    unsent: Decimal = NOTHING
    held: Decimal = NOTHING
    recorded: Decimal = NOTHING
    row: int = 0

    @property
    def spent(self) -> Decimal:
        """Everything that is known to be spent."""
        return self.confirmed + self.unsent

    def confirm(self, spent: Decimal) -> None:
        """Somebody who counts for all says that so much is spent; what is known already is never forgotten."""
        self.confirmed = max(self.confirmed, spent)

    def record(self, spent: Decimal, row: int) -> None:
        """The usage rows up to that id come to so much; some of it this process may have counted itself."""
        self.recorded, self.row = spent, row
        self.confirm(spent - self.unsent)
