"""What is said when a budget has too little left. Pure."""

import math
from datetime import datetime
from decimal import Decimal

from shared.domain.budgets import IN_WORDS, BudgetStanding
from shared.domain.money import plain
from shared.errors import BudgetExceeded

SOON = 1
HELD = "heldByOthers"
INSTEAD = "ask for fewer max_tokens, or a free model (name layer L0)"
INSTEAD_OF_AUTO = "name a model or a layer, ask for fewer max_tokens, or raise AUTO_BUDGET_USD_PER_DAY"


def is_held(error: BudgetExceeded) -> bool:
    """Whether there is money enough, but requests under way hold it."""
    return isinstance(error.details, dict) and bool(error.details.get(HELD))


def share_refusal(standing: BudgetStanding, amount: Decimal, left: Decimal, processes: int) -> BudgetExceeded:
    """Says that this process's share of a budget is used up while Redis is away."""
    return BudgetExceeded(
        f"Redis is away, so each of the gateway's {processes} processes may spend an equal share of what is left of the budget "
        f"'{standing.id}' for {standing.whose}. This one has ${plain(left)} of it left and this needs up to ${plain(amount)}: "
        f"try again when Redis is back, or {INSTEAD}.",
        details={"budget": standing.model_dump(mode="json"), "neededUsd": float(amount), "shareLeftUsd": float(left)},
        retry_after=5.0,
    )


def refusal(standing: BudgetStanding, amount: Decimal, now: datetime) -> BudgetExceeded:
    """Names the budget and how it stands; what only other requests hold may soon be free again."""
    instead = INSTEAD_OF_AUTO if standing.applies_to == "auto" else INSTEAD
    held_up = standing.spent_usd + amount <= standing.limit_usd
    if held_up:
        advice, wait = "the rest is held by requests under way; try again soon", float(SOON)
    elif standing.resets_at is None:
        advice, wait = f"it does not reset; {instead}", None
    else:
        advice = f"it resets at {standing.resets_at:%Y-%m-%d %H:%M} UTC; until then {instead}"
        wait = float(max(math.ceil((standing.resets_at - now).total_seconds()), SOON))
    return BudgetExceeded(
        f"The budget '{standing.id}' for {standing.whose}, ${plain(standing.limit_usd)} {IN_WORDS[standing.period]}, has "
        f"${plain(max(standing.limit_usd - standing.spent_usd, Decimal(0)))} left and this needs up to "
        f"${plain(amount)}: {advice}.",
        details={"budget": standing.model_dump(mode="json"), "neededUsd": float(amount), HELD: held_up},
        retry_after=wait,
    )
