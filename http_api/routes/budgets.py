"""Budgets."""

from http_api.binding import Row
from shared.operations import budgets

ROWS = (
    Row(method="GET", path="/v1/budgets", operation=budgets.LIST_BUDGETS),
    Row(method="POST", path="/v1/budgets", operation=budgets.CREATE_BUDGET, status=201),
    Row(method="PUT", path="/v1/budgets/{budgetId}", operation=budgets.UPDATE_BUDGET),
    Row(method="DELETE", path="/v1/budgets/{budgetId}", operation=budgets.DELETE_BUDGET),
)
