"""What was spent, as a process counts it while it runs."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from shared.domain.measures import SECONDS, TOKENS, Distribution

if TYPE_CHECKING:
    from shared.usage.ledger import Entry

MOST_MODELS = 100
"""Models that are counted by name; further ones share one name, so that metrics stay bounded."""
MOST_OUTCOMES = 40
OTHER = "other"


@dataclass(slots=True)
class ModelTotals:
    """Live counters of one model since the start of the process. `seconds` has the duration of every attempt."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: Distribution = field(default_factory=partial(Distribution, SECONDS))
    first_token: Distribution = field(default_factory=partial(Distribution, SECONDS))
    prompt: Distribution = field(default_factory=partial(Distribution, TOKENS))
    completion: Distribution = field(default_factory=partial(Distribution, TOKENS))
    cached_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, entry: "Entry") -> None:
        """Count an attempt. It is on the path of every chat, so that everything is done in place."""
        outcomes, seconds = self.outcomes, entry.duration_ms / 1000
        outcome = entry.outcome
        outcomes[outcome if outcome in outcomes or len(outcomes) < MOST_OUTCOMES else OTHER] += 1
        self.seconds.counts[bisect_left(SECONDS, seconds)] += 1
        self.seconds.total += seconds
        if tokens := entry.prompt_tokens:
            self.prompt.counts[bisect_left(TOKENS, tokens)] += 1
            self.prompt.total += tokens
        if tokens := entry.completion_tokens:
            self.completion.counts[bisect_left(TOKENS, tokens)] += 1
            self.completion.total += tokens
        if entry.first_token_seconds is not None:
            self.first_token.observe(entry.first_token_seconds)
        self.cached_tokens += entry.cached_tokens
        if entry.cost is None:
            self.unpriced += 1
        elif entry.cost:
            self.cost += entry.cost


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
    models: dict[tuple[str, str], ModelTotals] = field(default_factory=dict)
    """By provider and model."""

    def named(self, provider: str, model: str) -> ModelTotals:
        """The counters of a model that had none yet."""
        key = (provider, model) if len(self.models) < MOST_MODELS else (OTHER, OTHER)
        return self.models.setdefault(key, ModelTotals())


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
