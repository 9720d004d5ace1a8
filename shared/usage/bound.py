"""What binds one request: its budgets, and the money that it holds of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from shared.domain.budgets import Budget, BudgetStanding
from shared.usage.counter import NOTHING
from shared.usage.unsent import Hold

if TYPE_CHECKING:
    from shared.usage.budgets import Budgets


class Bound:
    """The budgets that bind one request."""

    def __init__(self, budgets: "Budgets", found: Sequence[Budget]) -> None:
        self._budgets = budgets
        self._found = found

    @property
    def left(self) -> Decimal:
        """US dollars that may still be held, as far as this process knows."""
        return max(min(self._budgets.left(budget) for budget in self._found), NOTHING)

    async def freed(self, seconds: float) -> None:
        """Wait until money that a request held may be free again, or until the time limit in seconds."""
        await self._budgets.freed(seconds)

    @property
    def standings(self) -> tuple[BudgetStanding, ...]:
        """How each of them stands, as far as this process knows."""
        return tuple(self._budgets.standing(budget) for budget in self._found)

    async def reserve(self, amount: Decimal) -> "Reservation":
        """Hold an amount in every budget, or in none. What costs nothing always may. Raises BudgetExceeded."""
        return await self._budgets.reserve(self._found, amount)


class Reservation:
    """Money that is held until it is settled."""

    __slots__ = ("_budgets", "_hold", "_open")

    def __init__(self, budgets: "Budgets", hold: Hold) -> None:
        self._budgets = budgets
        self._hold = hold
        self._open = True

    def settle(self, cost: Decimal | None) -> None:
        """Count what it came to, in full, and let go of the rest; None, when that is not known, is all of it.

        Only the first call counts. To be called where the cost is entered in the ledger, in the same breath: otherwise
        a recount may find it there first and it counts twice.
        """
        if self._open:
            self._open = False
            spent = self._hold.amount if cost is None else max(cost, NOTHING)
            if spent or self._hold.amount:
                self._budgets.settle(self._hold, spent)
