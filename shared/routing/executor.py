"""Walks a plan's attempts: the first model that answers wins, and what each attempt cost is written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.identity import Caller
from shared.domain.models import LAYERS
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.errors import Unsupported, UpstreamError
from shared.providers.base import Timeouts
from shared.providers.directory import Directory
from shared.registry.registry import Registry, unknown_model
from shared.routing import exhausted, usage_event
from shared.routing.attempt import Attempt, Deadline, Desk, Route
from shared.routing.exhausted import Failure
from shared.routing.health import Health
from shared.routing.planner import Conditions, Policy, plan
from shared.usage.ledger import Ledger
from shared.usage.pricing import PriceBook

MAX_ATTEMPTS = 8
ENOUGH = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, with usage and cost in it."""

    payload: dict[str, Any]
    usage: Usage
    route: Route


class Executor:
    """Chats with the models of the registry, one after another until one answers."""

    def __init__(
        self,
        *,
        registry: Registry,
        providers: Directory,
        ledger: Ledger,
        prices: PriceBook,
        timeouts: Timeouts,
        policy: Callable[[], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self.health = Health()
        self._registry = registry
        self._policy = policy
        self._desk = Desk(providers, self.health, ledger, prices, timeouts, clock)
        self._conditions = Conditions(serves=providers.serves, cooling=self.health.cooling, cost=prices.cost)

    def plan(self, request: ChatRequest) -> Plan:
        """The models to try. Raises NotFound for an unknown name, Unavailable when no model is left."""
        snapshot = self._registry.snapshot
        found = plan(request, snapshot, self._policy(), self._conditions, enough=ENOUGH)
        if not found.attempts:
            if not found.dropped and request.model != "auto" and request.model not in LAYERS:
                raise unknown_model(snapshot, request.model)
            raise exhausted.nothing_to_try(request, found)
        return found

    async def complete(self, caller: Caller, request: ChatRequest) -> Answer:
        """The whole answer. Raises Unavailable, UpstreamError and its kin when every attempt failed."""
        deadline = Deadline(request.options.timeout_ms)
        failures: list[Failure] = []
        try:
            async with asyncio.timeout(None if request.options.timeout_ms is None else deadline.left):
                for attempt in self._attempts(caller, request):
                    try:
                        completion = await attempt.provider.complete(attempt.route.model, request, self._desk.timeouts)
                    except (UpstreamError, Unsupported) as error:
                        failures.append(attempt.failed(error))
                        continue
                    except asyncio.CancelledError:
                        attempt.left("request_timeout" if deadline.passed else "cancelled")
                        raise
                    usage = completion.usage or usage_event.estimate(request, completion.payload)
                    cost = attempt.succeeded(usage, completion.payload.get("usage"))
                    completion.payload["usage"] = usage_event.with_cost(completion.payload.get("usage"), usage, cost)
                    return Answer(completion.payload, usage, attempt.route)
        except TimeoutError:
            raise deadline.error() from None
        raise exhausted.all_failed(failures)

    @asynccontextmanager
    async def stream(self, caller: Caller, request: ChatRequest) -> AsyncIterator["StreamedAnswer"]:
        """The answer as it comes; entered once the first content is here, so that failing over goes unnoticed.

        The caller's own time limit ends an answer under way too.
        """
        deadline = Deadline(request.options.timeout_ms)
        failures: list[Failure] = []
        for attempt in self._attempts(caller, request):
            async with AsyncExitStack() as stack:
                try:
                    first, rest = await attempt.open(stack, deadline)
                except (UpstreamError, Unsupported) as error:
                    if deadline.passed:
                        attempt.left("request_timeout")
                        raise deadline.error() from None
                    failures.append(attempt.failed(error))
                    continue
                except asyncio.CancelledError:
                    attempt.left()
                    raise
                answer = StreamedAnswer(
                    attempt, first, rest if request.options.timeout_ms is None else _until(deadline, rest)
                )
                try:
                    yield answer
                finally:
                    answer.settle()
                return
        raise exhausted.all_failed(failures)

    def _attempts(self, caller: Caller, request: ChatRequest) -> Iterator[Attempt]:
        for number, model in enumerate(self.plan(request).attempts[:MAX_ATTEMPTS], 1):
            yield Attempt(self._desk, caller, request, Route(model, number))


async def _until(deadline: Deadline, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The same, until the time is up. Raises UpstreamTimeout then."""
    while True:
        try:
            async with asyncio.timeout(deadline.left):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise deadline.error() from None
        yield chunk


class StreamedAnswer:
    """An answer under way: iterate it for runs of server-sent events in OpenAI's form, the usage event last.

    Raises UpstreamError from the iteration when the provider breaks off: the answer is then incomplete for good.
    """

    def __init__(self, attempt: Attempt, first: bytes, rest: AsyncIterator[Chunk]) -> None:
        self.route = attempt.route
        self.usage: Usage | None = None
        self._attempt = attempt
        self._first = first
        self._rest = rest
        self._events = first.count(b"data:")
        self._final: dict[str, Any] | None = None
        self._outcome = "cancelled"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        try:
            async for chunk in self._rest:
                if chunk.data:
                    self._events += chunk.data.count(b"data:")
                    yield chunk.data
                if chunk.final is not None:
                    self._final = chunk.final
        except UpstreamError as error:
            self._outcome = error.code
            if error.code != "request_timeout":
                self._attempt.troubled(error)
            raise
        self.usage = self._used()
        cost = self._attempt.succeeded(self.usage, self._raw_usage())
        self._outcome = "ok"
        yield usage_event.final(self._attempt.request, self.route.model, self._first, self._final, self.usage, cost)

    def settle(self) -> None:
        """Write down what a stream used that did not come to its end; the provider bills it all the same."""
        if self._outcome != "ok":
            self._attempt.ended(self._outcome, self._used(), self._raw_usage())

    def _raw_usage(self) -> Any:
        return None if self._final is None else self._final.get("usage")

    def _used(self) -> Usage:
        raw = self._raw_usage()
        if isinstance(raw, dict):
            return Usage.from_openai(raw)
        return Usage(prompt=self._attempt.request.prompt_tokens, completion=self._events, estimated=True)
