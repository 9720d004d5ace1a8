"""What another policy would have made of past requests: their stored decisions, planned again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from pydantic import Field

from shared.domain.identity import Caller
from shared.domain.wire import Moment, Money, Timestamp, Wire
from shared.errors import InvalidInput
from shared.operations.operation import Operation, StreamOperation
from shared.routing.replay.decision_record import restored
from shared.routing.replay.policy_file import proposal
from shared.routing.replay.replay_sums import Costs, Sums
from shared.routing.replay.replaying import Replay, World
from shared.storage import decision_rows
from shared.usage.pricing import PriceBook

if TYPE_CHECKING:
    from shared.gateway import Gateway

PAGE = 500
LIMIT = 10_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NOT_KNOWN = (
    "Whether another model's answer would have been as good, or would have been escalated, is not known.",
    "Another model is taken to use as many tokens as the one that answered; it may use more or fewer.",
    "A model that was not asked then is taken to answer; one that failed then, or was cooling down, to fail.",
    "What the policy leaves out is as it is now: models, prices and providers that have changed since show as changes too.",
    "Hedged calls, answers from the cache and what other requests would have done to budgets are not predicted.",
)


class Replaying(Wire):
    """A policy to try, and on which requests: the newest `limit` from `from` (default: the first) to `to`.

    `policy` has keys of the configuration (`defaultLayer`, `enableAutoEscalate`, `maxEscalationLayer`, `spendGuard`,
    `autoBudgetUsdPerDay`, `enableCrossCheck`, `enableHedging`), `layers` (by name: `enabled`) and `models` (by id: what is other than now, or all
    of a new one). What is left out is as it is now.
    """

    policy: dict[str, Any]
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = LIMIT


class ComparedCost(Wire):
    """US dollars: all that was spent then, and what would be now. `notKnown` counts the requests whose cost now, or then,
    is not known: they are not in `nowUsd`, and came to `notKnownThenUsd`.
    """

    then_usd: Money
    now_usd: Money
    not_known: int
    not_known_then_usd: Money


class ReplayGroup(Wire):
    """Requests that go from one model to another; null is no answer."""

    then: str | None
    now: str | None
    requests: int
    cost: ComparedCost


class ReplayExample(Wire):
    """One request whose model changes; `reason` says why there would be no answer."""

    request_id: str
    at: Timestamp
    then: str | None
    now: str | None
    then_usd: Money | None
    now_usd: Money | None
    reason: str


class ReplayReport(Wire):
    """What would have changed.

    `unanswerable` requests were answered and no longer would be, `rescued` ones the other way round. `failedCalls` are
    the calls that failed before the answer, each a fail-over unless it was the last. `more` says that there are older
    requests beyond the limit, `unreadable` counts decisions of another version, `notKnown` says what no replay can know.
    """

    requests: int
    first: Timestamp | None
    last: Timestamp | None
    more: bool
    unreadable: int
    changed: int
    unanswerable: int
    rescued: int
    failed_calls_then: int
    failed_calls_now: int
    cost: ComparedCost
    groups: list[ReplayGroup]
    examples: list[ReplayExample]
    not_known: list[str]


@asynccontextmanager
async def _open(gateway: "Gateway", caller: Caller, request: Replaying) -> AsyncIterator[AsyncIterator[ReplayReport]]:
    if request.from_ and request.to and request.from_ >= request.to:
        raise InvalidInput("'from' must be before 'to'.")
    found = proposal(request.policy, gateway.configuration.current, gateway.registry.snapshot)
    providers = gateway.providers
    world = World(proposal=found, prices=PriceBook(), serves=providers.serves, may_bill=providers.may_bill)
    await gateway.decisions.flush()
    yield _reports(gateway, request, Replay(world))


async def _reports(gateway: "Gateway", request: Replaying, replay: Replay) -> AsyncIterator[ReplayReport]:
    """After each page, newest first, what there is by then."""
    reading = _Reading(replay)
    start, end = request.from_ or BEGINNING, request.to or gateway.clock() + timedelta(seconds=1)
    more = True
    while more:
        size = min(PAGE, request.limit - reading.read)
        page = partial(decision_rows.page, start=start, end=end, before=reading.before, limit=size + 1)
        rows = await gateway.database.read(page)
        await anyio.to_thread.run_sync(reading.take, rows[:size])
        more = len(rows) > size and reading.read < request.limit
        yield reading.report(more=len(rows) > size)


class _Reading:
    """What was read and replayed so far."""

    def __init__(self, replay: Replay) -> None:
        self.read = 0
        self.before: int | None = None
        self._replay = replay
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._sums = Sums()

    def take(self, rows: Sequence[decision_rows.Stored]) -> None:
        """Replay a page."""
        for row in rows:
            self.read += 1
            self.before = row.id
            self._first, self._last = row.at, self._last or row.at
            record = restored(row.data)
            if record is None:
                self._sums.unreadable += 1
            else:
                self._sums.add(row.request_id, row.at, self._replay.of(row.request_id, record))

    def report(self, *, more: bool) -> ReplayReport:
        """What came of it; `more` says that there are others."""
        sums = self._sums
        return ReplayReport(
            requests=sums.requests,
            first=self._first,
            last=self._last,
            more=more,
            unreadable=sums.unreadable,
            changed=sums.changed,
            unanswerable=sums.unanswerable,
            rescued=sums.rescued,
            failed_calls_then=sums.failed_then,
            failed_calls_now=sums.failed_now,
            cost=_cost(sums.costs),
            groups=[
                ReplayGroup(then=then, now=now, requests=group.requests, cost=_cost(group.costs))
                for (then, now), group in sums.largest()
            ],
            examples=[
                ReplayExample(
                    request_id=example.request_id,
                    at=example.at,
                    then=example.replayed.then.model,
                    now=example.replayed.now.model,
                    then_usd=example.replayed.then.cost,
                    now_usd=example.replayed.now.cost,
                    reason=example.replayed.reason,
                )
                for example in sums.examples
            ],
            not_known=[*NOT_KNOWN],
        )


def _cost(costs: Costs) -> ComparedCost:
    return ComparedCost(
        then_usd=costs.then,
        now_usd=costs.now,
        not_known=costs.not_known,
        not_known_then_usd=costs.not_known_then,
    )


async def _run(gateway: "Gateway", caller: Caller, request: Replaying) -> ReplayReport:
    async with _open(gateway, caller, request) as reports:
        async for so_far in reports:
            report = so_far
    return report


REPLAY = Operation(
    name="replay",
    summary="Plan past requests again under another policy: what would have changed in model, cost and failures",
    scope="admin",
    effect="read",
    request=Replaying,
    result=ReplayReport,
    run=_run,
)
REPLAY_EVENTS = StreamOperation(
    name="replay_events",
    summary="The same, page by page: what there is by then",
    scope="admin",
    effect="read",
    request=Replaying,
    open=_open,
)
