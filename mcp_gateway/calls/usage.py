"""What was used, what it cost, and what the budgets leave, in brief."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mcp_gateway.arguments import UsageArguments
from mcp_gateway.calls.call import Call
from mcp_gateway.results import BudgetEntry, UsageEntry, UsageResult
from shared.domain.budgets import BudgetStanding
from shared.domain.identity import Caller
from shared.domain.wire import Wire
from shared.operations import dispatch
from shared.operations.budgets import LIST_BUDGETS
from shared.operations.usage import QUERY_USAGE, UsageGroup

if TYPE_CHECKING:
    from shared.gateway import Gateway

TIMES = ("day", "hour")


class Budgets(Wire):
    """What gateway://budget holds."""

    budgets: list[BudgetEntry]


async def run(call: Call, arguments: UsageArguments) -> UsageResult:
    """The sums of the last days, and the budgets."""
    return await report(call.gateway, call.caller, arguments)


async def today(gateway: "Gateway", caller: Caller) -> str:
    """usage://today"""
    return (await report(gateway, caller, UsageArguments())).model_dump_json(by_alias=True)


async def budgets(gateway: "Gateway", caller: Caller) -> str:
    """gateway://budget"""
    found = (await dispatch.call(gateway, caller, LIST_BUDGETS, {})).budgets
    return Budgets(budgets=[_budget(standing) for standing in found]).model_dump_json(by_alias=True)


async def report(gateway: "Gateway", caller: Caller, arguments: UsageArguments) -> UsageResult:
    """What `usage` tells that caller."""
    found = await dispatch.call(gateway, caller, QUERY_USAGE, payload_of(arguments, gateway.clock()))
    standings = (await dispatch.call(gateway, caller, LIST_BUDGETS, {})).budgets
    groups = found.groups if arguments.group_by in TIMES else sorted(found.groups, key=_weight, reverse=True)
    shown = groups[-arguments.limit :] if arguments.group_by in TIMES else groups[: arguments.limit]
    return UsageResult(
        since=found.from_,
        total=_entry(found.total),
        groups=[_entry(group) for group in shown],
        more=len(groups) - len(shown),
        budgets=[_budget(standing) for standing in standings],
    )


def payload_of(arguments: UsageArguments, now: datetime) -> dict[str, Any]:
    """The query: whole days in UTC, the last of them today."""
    begin = now.date() - timedelta(days=arguments.days - 1)
    filters = {"model": arguments.model, "layer": arguments.layer}
    return {"from": begin.isoformat(), "groupBy": arguments.group_by} | {
        name: value for name, value in filters.items() if value is not None
    }


def _weight(group: UsageGroup) -> tuple[Decimal, int]:
    return group.cost_usd or Decimal(0), group.requests


def _entry(group: UsageGroup) -> UsageEntry:
    return UsageEntry(
        group=group.group,
        requests=group.requests,
        failed=group.failed,
        prompt_tokens=group.prompt_tokens,
        completion_tokens=group.completion_tokens,
        cost_usd=group.cost_usd,
    )


def _budget(standing: BudgetStanding) -> BudgetEntry:
    return BudgetEntry(
        whose=standing.whose,
        period=standing.period,
        limit_usd=standing.limit_usd,
        spent_usd=standing.spent_usd,
        left_usd=standing.left_usd,
        resets_at=standing.resets_at,
    )
