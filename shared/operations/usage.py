"""What was used and what it cost: sums from the database, and live counters."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from shared.domain.identity import Caller
from shared.domain.wire import Moment, Money, NoInput, Timestamp, Wire
from shared.errors import InvalidInput
from shared.operations.operation import Operation
from shared.storage import usage_rows
from shared.storage.usage_rows import GroupBy
from shared.usage.ledger import cost_of

if TYPE_CHECKING:
    from shared.gateway import Gateway

DEFAULT_DAYS = 30
MAX_DAYS = 3660


class QueryUsage(Wire):
    """A span of time (default: the last 30 days) and what to sum by. Dates alone mean midnight UTC."""

    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    group_by: GroupBy = "day"


class UsageGroup(Wire):
    """The sums of one group. `unpriced` counts answers whose price is not known; they are not in `costUsd`."""

    group: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_usd: Money
    unpriced: int


class UsageReport(Wire):
    """All groups, and their total."""

    from_: Annotated[Timestamp, Field(alias="from")]
    to: Timestamp
    group_by: GroupBy
    groups: list[UsageGroup]
    total: UsageGroup


class Stats(Wire):
    """Live counters of this process."""

    uptime_seconds: float
    attempts: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Money
    cost_today_usd: Money
    unpriced: int
    by_model: dict[str, int]
    by_outcome: dict[str, int]
    cooling_seconds: dict[str, float]
    terminal_sessions: int
    usage_rows_lost: int


async def _query(gateway: "Gateway", caller: Caller, request: QueryUsage) -> UsageReport:
    start, end = _span(gateway, request)
    await gateway.ledger.flush()
    rows = await gateway.database.read(lambda session: usage_rows.summed(session, start, end, request.group_by))
    groups = [
        UsageGroup(
            group=str(row["group"]),
            requests=row["requests"],
            failed=row["failed"],
            prompt_tokens=row["prompt_tokens"],
            completion_tokens=row["completion_tokens"],
            cached_tokens=row["cached_tokens"],
            cost_usd=cost_of(row),
            unpriced=row["unpriced"],
        )
        for row in rows
    ]
    return UsageReport.model_validate(
        {"from": start, "to": end, "group_by": request.group_by, "groups": groups, "total": _total(groups)}
    )


def _total(groups: list[UsageGroup]) -> UsageGroup:
    names = [name for name in UsageGroup.model_fields if name != "group"]
    return UsageGroup(group="total", **{name: sum(getattr(group, name) for group in groups) for name in names})


def _span(gateway: "Gateway", request: QueryUsage) -> tuple[datetime, datetime]:
    now = gateway.clock()
    end = request.to or now + timedelta(seconds=1)
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    start = request.from_ or min(midnight, end) - timedelta(days=DEFAULT_DAYS)
    if start >= end or end - start > timedelta(days=MAX_DAYS):
        raise InvalidInput(f"'from' must be before 'to', and at most {MAX_DAYS} days before it.")
    return start, end


async def _stats(gateway: "Gateway", caller: Caller, request: NoInput) -> Stats:
    totals = gateway.ledger.totals
    return Stats(
        uptime_seconds=gateway.uptime_seconds,
        attempts=totals.attempts,
        failed=totals.failed,
        prompt_tokens=totals.prompt_tokens,
        completion_tokens=totals.completion_tokens,
        cost_usd=totals.cost,
        cost_today_usd=gateway.ledger.spent_today,
        unpriced=totals.unpriced,
        by_model=dict(totals.by_model),
        by_outcome=dict(totals.by_outcome),
        cooling_seconds={name: round(left, 1) for name, left in gateway.executor.health.cooling_models().items()},
        terminal_sessions=len(gateway.terminals),
        usage_rows_lost=gateway.ledger.lost,
    )


QUERY_USAGE = Operation(
    name="usage",
    summary="Requests, tokens and cost by day, model, layer, provider or caller",
    scope="models:read",
    effect="read",
    request=QueryUsage,
    result=UsageReport,
    run=_query,
)
STATS = Operation(
    name="stats",
    summary="Live counters of this process",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=Stats,
    run=_stats,
)
