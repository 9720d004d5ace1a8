"""Budgets: how much may be spent; list, make, change, delete."""

from typing import TYPE_CHECKING, Any

from shared.domain.budgets import (
    Budget,
    BudgetChange,
    BudgetKey,
    BudgetList,
    ChangedBudget,
    DeletedBudget,
    NewBudget,
)
from shared.domain.identity import Caller
from shared.domain.money import plain
from shared.domain.wire import NoInput
from shared.errors import Forbidden
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _list(gateway: "Gateway", caller: Caller, _: NoInput) -> BudgetList:
    budgets = await gateway.budgets.list()
    return BudgetList(budgets=[budget for budget in budgets if caller.may("admin") or _binds(budget, caller)])


def _binds(budget: Budget, caller: Caller) -> bool:
    """Whether it binds that caller whatever it asks."""
    return budget.subject in (("all",), ("key", caller.id))


async def _create(gateway: "Gateway", _: Caller, request: NewBudget) -> ChangedBudget:
    return ChangedBudget(budget=await gateway.budgets.add(request))


async def _update(gateway: "Gateway", caller: Caller, request: BudgetChange) -> ChangedBudget:
    await _check_not_own(gateway, caller, request.budget_id)
    budget = await gateway.budgets.update(request.budget_id, limit=request.limit_usd, period=request.period)
    return ChangedBudget(budget=budget)


async def _delete(gateway: "Gateway", caller: Caller, request: BudgetKey) -> DeletedBudget:
    await _check_not_own(gateway, caller, request.budget_id)
    await gateway.budgets.delete(request.budget_id)
    return DeletedBudget(budget_id=request.budget_id)


async def _check_not_own(gateway: "Gateway", caller: Caller, budget_id: str) -> None:
    """A key must not loosen what binds it. Raises Forbidden."""
    if caller.kind != "key":
        return
    own = {budget.id for budget in await of_key(gateway, caller)}
    if budget_id in own or budget_id in gateway.database.unreadable.of("budgets"):  # whom that one binds is not known
        raise Forbidden("A key cannot change the budget that binds it; do it with a login, or on the command line.")


async def of_key(gateway: "Gateway", caller: Caller) -> list[Budget]:
    """The budgets that were made for the API key that calls."""
    return [budget for budget in await gateway.budgets.list() if budget.subject == ("key", caller.id)]


def _facts(request: NewBudget | BudgetChange) -> dict[str, Any]:
    facts = request.model_dump(mode="json", by_alias=True, exclude_none=True)
    return facts if request.limit_usd is None else {**facts, "limitUsd": plain(request.limit_usd)}


LIST_BUDGETS = Operation(
    name="list_budgets",
    summary="The budgets and how they stand: spent, held by requests under way, left, and when they reset.",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=BudgetList,
    run=_list,
)

CREATE_BUDGET = Operation(
    name="create_budget",
    summary="Bound what may be spent in a day, a month or in total: by everybody, by one API key, or for one tag.",
    scope="admin",
    effect="write",
    request=NewBudget,
    result=ChangedBudget,
    run=_create,
    audit=_facts,
)

UPDATE_BUDGET = Operation(
    name="update_budget",
    summary="Change a budget's limit or period; what was spent still counts.",
    scope="admin",
    effect="write",
    request=BudgetChange,
    result=ChangedBudget,
    run=_update,
    audit=_facts,
)

DELETE_BUDGET = Operation(
    name="delete_budget",
    summary="Delete a budget; it binds nobody any more.",
    scope="admin",
    effect="destroy",
    request=BudgetKey,
    result=DeletedBudget,
    run=_delete,
    audit=lambda request: {"budgetId": request.budget_id},
)
