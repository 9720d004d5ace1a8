"""What was spent, as a process counts it while it runs."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(slots=True)
class Totals:
    """Live counters since the start of the process."""

    attempts: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)
    by_purpose: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Day:
    """What was spent on one day (UTC) in US dollars, and how many attempts of unknown price came on top of it."""

    date: str
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    def plus(self, cost: Decimal | None) -> "Day":
        """With one attempt more."""
        return Day(self.date, self.cost + (cost or 0), self.unpriced + (cost is None))

    def at_least(self, known: "Day") -> "Day":
        """With what is known to have been spent already, if that is more and of the same day."""
        if known.date != self.date:
            return self
        return Day(self.date, max(self.cost, known.cost), max(self.unpriced, known.unpriced))
