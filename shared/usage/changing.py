"""What stands against a change of a budget."""

from sqlmodel import Session

from shared.domain.budgets import AUTO_SUBJECT, IN_WORDS, Budget
from shared.domain.money import plain
from shared.errors import Conflict, NotFound
from shared.storage import budget_rows


def check_own(budget_id: str, budget: Budget | None) -> None:
    """Raises Conflict for a budget that is changed elsewhere."""
    source = "stored" if budget is None else budget.source
    if budget is not None and budget.subject == AUTO_SUBJECT:
        raise Conflict(
            f"The budget '{budget_id}' is the setting AUTO_BUDGET_USD_PER_DAY; change it with PUT /v1/config "
            "(autoBudgetUsdPerDay)."
        )
    if source == "settings":
        raise Conflict(
            f"The budget '{budget_id}' comes from the settings; change BUDGET_USD_PER_DAY, BUDGET_USD_PER_MONTH or "
            "BUDGET_USD_TOTAL and restart."
        )
    if source == "key":
        raise Conflict(
            f"The budget '{budget_id}' belongs to the API key of that name; make another budget for the key, or another key."
        )


def check_only(session: Session, budget: Budget, known: budget_rows.Known) -> None:
    """Raises Conflict when another one binds the same in the same period: raising one of two would change nothing."""
    for _, other in budget_rows.stored(session, known).values():
        if other.id != budget.id and (other.subject, other.period) == (budget.subject, budget.period):
            raise Conflict(
                f"There is a budget for {budget.whose}, {IN_WORDS[budget.period]}, already: '{other.id}', of "
                f"${plain(other.limit_usd)}; change it with PUT /v1/budgets/{other.id}.",
                details={"budgetId": other.id},
                code="budget_exists",
            )


def unknown(budget_id: str) -> NotFound:
    """The error for a budget that is not there."""
    return NotFound(f"There is no budget '{budget_id}'; GET /v1/budgets lists them.", code="budget_not_found")
