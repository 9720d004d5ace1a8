"""Asks the models of a job one after another: the first that answers wins, and what each attempt cost is written down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from shared.domain.chat import CHARACTERS_PER_TOKEN, Chunk, Completion
from shared.domain.usage import Usage
from shared.errors import Unsupported, UpstreamError
from shared.routing import usage_event
from shared.routing.answers import Answer
from shared.routing.attempt import Attempt, Desk
from shared.routing.checks.blocks import unwrapped
from shared.routing.hedging import HedgeAllowance, raced
from shared.routing.job import Deadline, Job
from shared.routing.walk import Turns, Walk


class _Begun(NamedTuple):
    """A stream whose first content is here. `stack` holds what it lives on."""

    attempt: Attempt
    first: bytes
    rest: AsyncIterator[Chunk]
    stack: AsyncExitStack


def _in_form(job: Job, answer: Answer) -> Answer:
    """The answer, with its JSON out of a Markdown fence where JSON was asked for."""
    return replace(answer, payload=unwrapped(answer.payload)) if job.request.facts.needs_schema else answer


class Executor:
    """Walks jobs. `patience` is how many seconds a job may wait in all when waiting is the only way left: for a provider, or
    for money that other requests hold.
    """

    def __init__(self, desk: Desk, *, patience: float) -> None:
        self._desk = desk
        self.patience = patience
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
    async def stream(self, job: Job) -> AsyncIterator["StreamedAnswer"]:
        """The answer as it comes; entered once the first content is here, so that failing over goes unnoticed.

        The caller's own time limit ends an answer under way too.
        """
        deadline = job.tab.deadline
        begun = await self._begun(job)
        async with begun.stack:
            rest = _until(deadline, begun.rest) if deadline.set else begun.rest
            answer = StreamedAnswer(begun.attempt, begun.first, rest)
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
        return Walk(self._desk, self._turns, job, self.patience)

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
    return Answer(completion.payload, usage, route)


def _calls_tools(data: bytes) -> bool:
    return b'"tool_calls"' in data and b'"tool_calls":null' not in data


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


class StreamedAnswer:
    """An answer under way, as an EventStream. `outcome` is `cancelled` until its end, then `ok` or an error's code.

    Raises UpstreamError from the iteration when the provider breaks off: the answer is then incomplete for good.
    """

    def __init__(self, attempt: Attempt, first: bytes, rest: AsyncIterator[Chunk]) -> None:
        self.route = attempt.route
        self.usage: Usage | None = None
        self._attempt = attempt
        self._first = first
        self._rest = rest
        self._events = 0
        self._bytes = 0
        self._called = 0
        self._final: dict[str, Any] | None = None
        self.outcome = "cancelled"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        said = self.route.said
        said.add(self._first)
        if b'"tool_calls"' in self._first:
            self.route.tool_calls += usage_event.tool_call_ids(self._first)
        yield self._first
        try:
            async for chunk in self._rest:
                data = chunk.data
                if data:
                    said.add(data)
                    if _calls_tools(data):
                        self._called += usage_event.length(data)
                        self.route.tool_calls += usage_event.tool_call_ids(data)
                    else:
                        self._events += data.count(b"data:")
                        self._bytes += len(data)
                    yield data
                if chunk.usage is not None:
                    self._attempt.hear(chunk.usage)
                if chunk.final is not None:
                    self._final = chunk.final
        except UpstreamError as error:
            self.outcome = error.code
            self._attempt.hear(error.usage)
            if error.code != "request_timeout":
                self._attempt.troubled(error)
            raise
        self.usage = self._used()
        self._attempt.succeeded(self.usage, self._raw_usage())
        if self._called or _calls_tools(self._first):
            self._attempt.called_tools()
        self.outcome = "ok"
        cost = self.route.cost = self._attempt.job.tab.total
        last = usage_event.final(self._attempt.request, self.route.model, self._first, self._final, self.usage, cost)
        said.add(last)
        yield last

    def settle(self) -> None:
        """Write down what a stream used that did not come to its end; the provider bills it all the same."""
        if self.outcome != "ok":
            self._attempt.ended(self.outcome, self._used(), self._raw_usage())
            self.route.cost = self._attempt.job.tab.total

    def _raw_usage(self) -> Any:
        return self._attempt.told if self._final is None else self._final.get("usage")

    def _used(self) -> Usage:
        used = Usage.from_answer(self._final or {})
        if used.prompt or used.completion:
            return used
        return self._attempt.used(self._tokens())

    def _tokens(self) -> int:
        """About how many tokens have come: one for each event of text at least, or what is said in all of them makes.

        Text is what an event holds beside its envelope; what calls a tool lies deeper, and was measured as it came.
        """
        text = self._bytes - self._events * usage_event.envelope(self._first)
        said = usage_event.length(self._first) + max(text, 0) + self._called
        return max(self._events, said // CHARACTERS_PER_TOKEN + 1)
