"""`mcp-gateway budgets`: how much may be spent, and how much is."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table
from mcp_gateway.commands.tags import tag_of
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from shared.domain.budgets import BudgetStanding, ChangedBudget, NewBudget
    from shared.gateway import Gateway

BAR = 20


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Bound what may be spent; by itself it lists the budgets.", invoke_without_command=True)
    app.callback()(list_all)
    app.command(name="list")(list_budgets)
    app.command(name="set")(set_budget)
    app.command()(delete)
    return app


def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """Bound what may be spent; by itself it lists the budgets."""
    if context.invoked_subcommand is None:
        list_budgets(as_json=as_json)


def list_budgets(as_json: AsJson = False) -> None:
    """List the budgets and how they stand."""
    from mcp_gateway.commands.opening import call
    from shared.operations.budgets import LIST_BUDGETS

    found = call(LIST_BUDGETS, {})
    if as_json:
        print_json(found)
    else:
        print_table(("id", "for", "limit", "spent", "held", "left", "", "resets"), map(_row, found.budgets))


def set_budget(
    limit: Annotated[str, typer.Argument(metavar="USD", help="US dollars; 0 leaves free models only.")],
    period: Annotated[
        str, typer.Option(help="day, month or total; days and months are the calendar's, in UTC.")
    ] = "month",
    key: Annotated[str | None, typer.Option(metavar="ID", help="Only for this API key.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME=VALUE", help="Only for requests with this tag.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set what may be spent in a period, by everybody, one key or one tag; replaces an earlier limit of that kind."""
    from mcp_gateway.commands.opening import with_gateway
    from shared.domain.budgets import NewBudget
    from shared.operations import dispatch

    payload: dict[str, Any] = {"limitUsd": limit, "period": period, "keyId": key}
    if tag is not None:
        payload["tag"] = tag_of(tag)._asdict()
    payload["appliesTo"] = "tag" if tag is not None else "all" if key is None else "key"
    wanted = dispatch.parse(NewBudget, payload, strict=False)
    made = with_gateway(lambda gateway: _set(gateway, wanted))
    if as_json:
        print_json(made)
    else:
        print_table(("id", "for", "limit", "spent", "held", "left", "", "resets"), [_row(made.budget)])


async def _set(gateway: "Gateway", wanted: "NewBudget") -> "ChangedBudget":
    from shared.domain.identity import LOCAL
    from shared.operations import dispatch
    from shared.operations.budgets import CREATE_BUDGET, LIST_BUDGETS, UPDATE_BUDGET

    for there in (await dispatch.call(gateway, LOCAL, LIST_BUDGETS, {})).budgets:
        if (there.source, there.subject, there.period) == ("stored", wanted.subject, wanted.period):
            change = {"budgetId": there.id, "limitUsd": wanted.limit_usd}
            return await dispatch.call(gateway, LOCAL, UPDATE_BUDGET, change)
    return await dispatch.call(gateway, LOCAL, CREATE_BUDGET, dict(wanted))


def delete(
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="As `budgets list` shows it.")], as_json: AsJson = False
) -> None:
    """Delete a budget; it binds nobody any more."""
    from mcp_gateway.commands.opening import call
    from shared.operations.budgets import DELETE_BUDGET

    gone = call(DELETE_BUDGET, {"budgetId": budget_id})
    if as_json:
        print_json(gone)
    else:
        print(visible(f"{gone.budget_id} is deleted."))


def _row(budget: "BudgetStanding") -> tuple[str, ...]:
    from shared.domain.budgets import IN_WORDS
    from shared.domain.money import plain

    return (
        budget.id,
        budget.whose,
        f"${plain(budget.limit_usd)} {IN_WORDS[budget.period]}",
        f"${plain(budget.spent_usd)}",
        f"${plain(budget.reserved_usd)}",
        f"${plain(budget.left_usd)}",
        bar(budget.limit_usd - budget.left_usd, budget.limit_usd),
        "never" if budget.resets_at is None else f"{budget.resets_at:%Y-%m-%d} UTC",
    )


def bar(used: Decimal, limit: Decimal) -> str:
    """How much of a budget is used, held amounts included: `[#####---------------] 25%`."""
    share = min(used / limit, Decimal(1)) if limit else Decimal(1)
    return f"[{'#' * int(share * BAR):-<{BAR}}] {int(share * 100)}%"
