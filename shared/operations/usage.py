"""What was used and what it cost: sums from the database, and live counters."""

import re
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from sqlmodel import Session

from shared.domain.alerts import Alert
from shared.domain.identity import Caller
from shared.domain.models import Layer
from shared.domain.wire import Moment, Money, NoInput, Timestamp, Wire
from shared.errors import Forbidden, InvalidInput
from shared.operations.operation import Operation
from shared.storage import usage_sums
from shared.storage.usage_rows import COLUMNS, TAG, TIMES, Filters
from shared.usage.ledger import PICO, cost_of

if TYPE_CHECKING:
    from shared.gateway import Gateway

DEFAULT_DAYS = 30
MAX_DAYS = 3660
MAX_GROUPS = 10_000
GROUPINGS = (*TIMES, *COLUMNS)
TAG_NAME = r"[^\x00-\x1f\x7f\"\\]{1,64}"


GROUPING = rf"^({'|'.join(GROUPINGS)}|{TAG}{TAG_NAME})$"


def _grouping(value: str) -> str:
    if not re.fullmatch(GROUPING, value):
        raise ValueError(f"it must be one of {', '.join(GROUPINGS)}, or {TAG}NAME")
    return value


GroupBy = Annotated[str, AfterValidator(_grouping), WithJsonSchema({"type": "string", "pattern": GROUPING})]
Filter = Annotated[str, StringConstraints(max_length=200)]


class QueryUsage(Wire):
    """A span of time (default: the last 30 days), what to sum by, and which rows. An API key without the scope `admin`
    sees its own alone.

    Dates alone mean midnight UTC. `groupBy` may be `tag:NAME` for the values of a tag; `tag` is `NAME:VALUE`.
    """

    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    group_by: GroupBy = "day"
    model: Filter | None = None
    provider: Filter | None = None
    layer: Layer | None = None
    key: Filter | None = None
    tag: Annotated[str, StringConstraints(max_length=321, pattern=rf"^{TAG_NAME}:.*$")] | None = None


class UsageGroup(Wire):
    """The sums of one group.

    `requests` are distinct, `attempts` all calls of providers for them, `failed` those of these that failed. `costUsd` is null when no price is known;
    otherwise `unpriced` attempts of unknown price come on top of it. `overheadUsd` is the part of it that bought no
    answer of its own: failed attempts that were billed, hedges, reviews, and what else the gateway did besides.
    """

    group: str
    requests: int
    attempts: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Money | None
    overhead_usd: Money | None
    unpriced: int


class UsageReport(Wire):
    """All groups, and their total."""

    from_: Annotated[Timestamp, Field(alias="from")]
    to: Timestamp
    group_by: GroupBy
    groups: list[UsageGroup]
    total: UsageGroup


class Stats(Wire):
    """Live counters of this process, and the last alerts of all. Costs are null when no price is known.

    `learning` counts where the router would start without what it has learned and with it (`L0 to L1`), how often it
    `abstained`, and the `outcomes` and `votes` that it learned from; it is empty while that is off.
    """

    uptime_seconds: float
    attempts: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Money | None
    cost_today_usd: Money | None
    unpriced: int
    by_model: dict[str, int]
    by_outcome: dict[str, int]
    by_purpose: dict[str, int]
    cooling_seconds: dict[str, float]
    terminal_sessions: int
    usage_rows_lost: int
    decisions_lost: int
    cache_hits: int
    cache_misses: int
    cache_stored: int
    cache_saved_usd: Money
    learning: dict[str, int]
    alerts: list[Alert]


async def _query(gateway: "Gateway", caller: Caller, request: QueryUsage) -> UsageReport:
    request = _own(caller, request) if _is_limited(caller) else request
    start, end = _span(gateway, request)
    await gateway.ledger.flush()
    rows, total = await gateway.database.report(partial(_sums, request=request, start=start, end=end))
    if len(rows) > MAX_GROUPS:
        raise InvalidInput(f"There are more than {MAX_GROUPS} groups; ask for a shorter span.")
    groups = [_group(row) for row in rows]
    return UsageReport.model_validate(
        {"from": start, "to": end, "group_by": request.group_by, "groups": groups, "total": total}
    )


def _is_limited(caller: Caller) -> bool:
    """Whether it may see only what it spent itself."""
    return (caller.kind == "key" or bool(caller.restricted)) and not caller.may("admin")


def _own(caller: Caller, request: QueryUsage) -> QueryUsage:
    """The same about that caller alone. Raises Forbidden when it is about another."""
    if request.key not in (None, caller.id):
        raise Forbidden(
            f"This caller sees only its own usage ('key' must be {caller.id!r} or left out); that of others needs the "
            "scope 'admin'."
        )
    return request.model_copy(update={"key": caller.id})


def _sums(
    session: Session, request: QueryUsage, start: datetime, end: datetime
) -> tuple[list[dict[str, Any]], UsageGroup]:
    """All groups and the total, which is no sum of theirs: a request may be in several."""
    summed = partial(usage_sums.summed, session, start, end, filters=_filters(request))
    return summed(request.group_by, limit=MAX_GROUPS + 1), _group(summed(None)[0])


def _filters(request: QueryUsage) -> Filters:
    tag = None
    if request.tag is not None:
        name, _, value = request.tag.partition(":")
        tag = (name, value)
    return Filters(model=request.model, provider=request.provider, layer=request.layer, key=request.key, tag=tag)


def _group(row: dict[str, Any]) -> UsageGroup:
    return UsageGroup(
        group=row["group"],
        requests=row["requests"],
        attempts=row["attempts"],
        failed=row["failed"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cached_tokens=row["cached_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        cost_usd=_known(cost_of(row), row["unpriced"]),
        overhead_usd=_known(Decimal(int(row["overhead_pico"])) / PICO, row["overhead_unpriced"]),
        unpriced=row["unpriced"],
    )


def _known(cost: Decimal, unpriced: int) -> Decimal | None:
    """A sum of which nothing is known is not 0."""
    return None if unpriced and not cost else cost


def _span(gateway: "Gateway", request: QueryUsage) -> tuple[datetime, datetime]:
    now = gateway.clock()
    end = request.to or now + timedelta(seconds=1)
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    start = request.from_ or min(midnight, end) - timedelta(days=DEFAULT_DAYS)
    if start >= end or end - start > timedelta(days=MAX_DAYS):
        raise InvalidInput(f"'from' must be before 'to', and at most {MAX_DAYS} days before it.")
    return start, end


async def _stats(gateway: "Gateway", caller: Caller, request: NoInput) -> Stats:
    if _is_limited(caller):
        raise Forbidden(
            "What everybody used needs the scope 'admin', which this caller does not have; GET /v1/usage shows its own.",
            details={"operation": "stats", "scope": "admin"},
        )
    totals, today = gateway.ledger.totals, gateway.ledger.today
    return Stats(
        uptime_seconds=gateway.uptime_seconds,
        attempts=totals.attempts,
        failed=totals.failed,
        prompt_tokens=totals.prompt_tokens,
        completion_tokens=totals.completion_tokens,
        cost_usd=_known(totals.cost, totals.unpriced),
        cost_today_usd=_known(today.cost, today.unpriced),
        unpriced=totals.unpriced,
        by_model=dict(totals.by_model),
        by_outcome=dict(totals.by_outcome),
        by_purpose=dict(totals.by_purpose),
        cooling_seconds={name: round(left, 1) for name, left in gateway.health.cooling_models().items()},
        terminal_sessions=len(gateway.terminals),
        usage_rows_lost=gateway.ledger.lost,
        decisions_lost=gateway.decisions.lost,
        cache_hits=gateway.cache.counters.hits,
        cache_misses=gateway.cache.counters.misses,
        cache_stored=gateway.cache.counters.stored,
        cache_saved_usd=gateway.cache.counters.saved,
        learning=dict(gateway.learner.counts),
        alerts=await gateway.alerts.recent(),
    )


QUERY_USAGE = Operation(
    name="usage",
    summary="Requests, tokens and cost by time, model, layer, provider, caller, purpose, outcome or tag",
    scope="models:read",
    effect="read",
    request=QueryUsage,
    result=UsageReport,
    run=_query,
)
STATS = Operation(
    name="stats",
    summary="Live counters of this process, and the last alerts",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=Stats,
    run=_stats,
)
