"""Asks the models of a job one after another: the first that answers wins, and what each attempt cost is written down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import NamedTuple

from shared.domain.chat import Chunk, Completion
from shared.errors import Unsupported, UpstreamError
from shared.routing import usage_event
from shared.routing.answers import Answer
from shared.routing.attempt import Attempt, Desk
from shared.routing.checks.blocks import unwrapped
from shared.routing.hedging import HedgeAllowance, raced
from shared.routing.job import Deadline, Job
from shared.routing.streamed_answer import NativeAnswer, StreamedAnswer
from shared.routing.walk import Turns, Walk


class _Begun(NamedTuple):
    """A stream whose first content is here. `stack` holds what it lives on."""

    attempt: Attempt
    first: bytes
    rest: AsyncIterator[Chunk]
    stack: AsyncExitStack


def _in_form(job: Job, answer: Answer) -> Answer:
    """The answer, with its JSON out of a Markdown fence where JSON was asked for."""
    if not job.request.facts.needs_schema:
        return answer
    payload = unwrapped(answer.payload)
    return answer if payload == answer.payload else replace(answer, payload=payload, native=None)


class Executor:
    """Walks jobs. `patience` is how many seconds a job may wait in all for a provider when waiting is the only way left,
    `money_patience` how many for money that other requests hold.
    """

    def __init__(self, desk: Desk, *, patience: float, money_patience: float = 0) -> None:
        self._desk = desk
        self._patience = patience
        self.money_patience = money_patience
        self._turns = Turns()
        self._hedges = HedgeAllowance()

    async def complete(self, job: Job) -> Answer:
        """The whole answer. Raises Unavailable, BudgetExceeded, UpstreamError and its kin when every attempt failed."""
        if not job.tab.deadline.set:
            return _in_form(job, await self._first(job))
        try:
            async with job.tab.deadline.timeout():
                return _in_form(job, await self._first(job))
        except TimeoutError:
            raise job.tab.deadline.error() from None

    @asynccontextmanager
    async def stream(self, job: Job) -> AsyncIterator[StreamedAnswer]:
        """The answer as it comes; entered once the first content is here, so that failing over goes unnoticed.

        The caller's own time limit ends an answer under way too.
        """
        deadline = job.tab.deadline
        begun = await self._begun(job)
        async with begun.stack:
            rest = _until(deadline, begun.rest) if deadline.set else begun.rest
            kind = NativeAnswer if begun.attempt.native else StreamedAnswer
            answer = kind(begun.attempt, begun.first, rest)
            try:
                yield answer
            finally:
                answer.settle()

    async def _first(self, job: Job) -> Answer:
        walk = self._walk(job)
        while (attempt := await walk.next()) is not None:
            after = self._hedge_after(job, attempt)
            if after is None:
                found = await self._completed(walk, attempt)
            else:
                first, second = self._completed(walk, attempt), lambda: self._completed(walk, None)
                found = await raced(first, second, after=after, drop=_paid_already)
            if found is not None:
                return found
        raise walk.exhausted()

    def _walk(self, job: Job) -> Walk:
        return Walk(self._desk, self._turns, job, self._patience, self.money_patience)

    def _hedge_after(self, job: Job, attempt: Attempt) -> float | None:
        """When a second attempt may set off beside this one; None for never. What calls tools is not asked twice."""
        if not job.hedged or job.request.facts.needs_tools:
            return None
        self._hedges.count()
        return self._desk.health.slow_after(attempt.model, stream=job.request.stream)

    async def _hedge(self, walk: Walk) -> Attempt | None:
        """A second attempt now that the first takes long; None when there were many lately, or nobody is left to ask."""
        return await walk.next("hedge") if self._hedges.take() else None

    async def _completed(self, walk: Walk, attempt: Attempt | None) -> Answer | None:
        """An attempt's whole answer; None when it failed in a way that the walk has taken in."""
        if attempt is None and (attempt := await self._hedge(walk)) is None:
            return None
        with attempt:
            try:
                completion = await attempt.complete()
            except (UpstreamError, Unsupported) as error:
                walk.failed(attempt, error)
                return None
            except asyncio.CancelledError:
                attempt.left("request_timeout" if attempt.job.tab.deadline.passed else "cancelled")
                raise
            return _answer(attempt, completion)

    async def _begun(self, job: Job) -> _Begun:
        walk = self._walk(job)
        while (attempt := await walk.next()) is not None:
            after = self._hedge_after(job, attempt)
            if after is None:
                found = await self._opened(walk, attempt)
            else:
                first, second = self._opened(walk, attempt), lambda: self._opened(walk, None)
                found = await raced(first, second, after=after, drop=_stopped)
            if found is not None:
                return found
        raise walk.exhausted()

    async def _opened(self, walk: Walk, attempt: Attempt | None) -> _Begun | None:
        """An attempt's stream with its first content; None when it failed in a way that the walk has taken in."""
        if attempt is None and (attempt := await self._hedge(walk)) is None:
            return None
        deadline = attempt.job.tab.deadline
        async with AsyncExitStack() as stack:
            stack.enter_context(attempt)
            try:
                first, rest = await attempt.open(stack)
            except (UpstreamError, Unsupported) as error:
                if deadline.passed:
                    attempt.left("request_timeout")
                    raise deadline.error() from None
                walk.failed(attempt, error)
                return None
            except asyncio.CancelledError:
                attempt.left()
                raise
            return _Begun(attempt, first, rest, stack.pop_all())


async def _paid_already(_: Answer) -> None:
    """A whole answer that nobody hears is in the ledger; nothing is left of it."""


async def _stopped(begun: _Begun) -> None:
    """A stream that nobody hears is closed, and its prompt may be billed."""
    begun.attempt.left()
    await begun.stack.aclose()


def _answer(attempt: Attempt, completion: Completion) -> Answer:
    usage = completion.usage or usage_event.estimate(attempt.request, completion.payload)
    attempt.succeeded(usage, completion.payload.get("usage"))
    if attempt.request.facts.needs_tools and any(
        choice["message"].get("tool_calls") for choice in completion.payload["choices"]
    ):
        attempt.called_tools()
    route = attempt.route
    completion.payload["usage"] = usage_event.with_cost(completion.payload.get("usage"), usage, route.cost)
    return Answer(completion.payload, usage, route, completion.native)


async def _until(deadline: Deadline, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The same, until the time is up. Raises UpstreamTimeout then."""
    while True:
        try:
            async with deadline.timeout():
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise deadline.error() from None
        yield chunk
