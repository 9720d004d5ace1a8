"""Walks a plan's attempts: the first model that answers wins, and what each attempt cost is written down."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Model
from shared.domain.routing import Plan
from shared.domain.usage import Usage
from shared.errors import Unavailable, Unsupported, UpstreamError, UpstreamTimeout
from shared.providers.base import Probe, Provider, Timeouts
from shared.providers.directory import Directory
from shared.registry.registry import Registry, unknown_model
from shared.routing import exhausted, usage_event
from shared.routing.exhausted import Failure
from shared.routing.health import Health
from shared.routing.planner import Conditions, Policy, plan
from shared.usage.ledger import Entry, Ledger
from shared.usage.pricing import PriceBook

MAX_ATTEMPTS = 8
ENOUGH = 32
HEALTHY = Probe(healthy=True)


@dataclass(slots=True)
class Route:
    """How an answer came about. `cost` is None while it is not known."""

    model: Model
    attempts: int
    cost: Decimal | None = None


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
        self._providers = providers
        self._ledger = ledger
        self._prices = prices
        self._timeouts = timeouts
        self._policy = policy
        self._clock = clock
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
        attempts = self.plan(request).attempts[:MAX_ATTEMPTS]
        failures: list[Failure] = []
        async with self._deadline(request):
            for number, model in enumerate(attempts, 1):
                attempt = _Attempt(self, caller, request, Route(model, number))
                try:
                    completion = await attempt.provider.complete(model, request, self._timeouts)
                except (UpstreamError, Unsupported) as error:
                    failures.append(attempt.failed(error))
                    continue
                except asyncio.CancelledError:
                    attempt.cancelled()
                    raise
                usage = completion.usage or usage_event.estimate(request, completion.payload)
                cost = attempt.succeeded(usage, completion.payload.get("usage"))
                completion.payload["usage"] = usage_event.with_cost(completion.payload.get("usage"), usage, cost)
                return Answer(completion.payload, usage, attempt.route)
        raise exhausted.all_failed(failures)

    @asynccontextmanager
    async def stream(self, caller: Caller, request: ChatRequest) -> AsyncIterator["StreamedAnswer"]:
        """The answer as it comes; entered once the first content is here, so that failing over goes unnoticed."""
        attempts = self.plan(request).attempts[:MAX_ATTEMPTS]
        failures: list[Failure] = []
        for number, model in enumerate(attempts, 1):
            attempt = _Attempt(self, caller, request, Route(model, number))
            async with AsyncExitStack() as stack:
                try:
                    first, rest = await attempt.open(stack, self._timeouts)
                except (UpstreamError, Unsupported) as error:
                    failures.append(attempt.failed(error))
                    continue
                except asyncio.CancelledError:
                    attempt.cancelled()
                    raise
                answer = StreamedAnswer(attempt, first, rest)
                try:
                    yield answer
                finally:
                    answer.settle()
                return
        raise exhausted.all_failed(failures)

    @asynccontextmanager
    async def _deadline(self, request: ChatRequest) -> AsyncIterator[None]:
        milliseconds = request.options.timeout_ms
        if milliseconds is None:
            yield
            return
        try:
            async with asyncio.timeout(milliseconds / 1000):
                yield
        except TimeoutError:
            raise UpstreamTimeout(f"No answer came within the {milliseconds} ms that the request allows.") from None


class _Attempt:
    """One model being asked: its provider, its outcome, its line in the ledger."""

    def __init__(self, executor: Executor, caller: Caller, request: ChatRequest, route: Route) -> None:
        self.request = request
        self.route = route
        self._executor = executor
        self._caller = caller
        self._started = time.perf_counter()

    @property
    def provider(self) -> Provider:
        """Raises Unavailable when the provider has gone since the plan was made."""
        provider = self._executor._providers.get(self.route.model.provider)
        if provider is None:
            raise Unavailable(f"The provider '{self.route.model.provider}' has just been removed.")
        return provider

    async def open(self, stack: AsyncExitStack, timeouts: Timeouts) -> tuple[bytes, AsyncIterator[Chunk]]:
        """Everything up to the first content, and the rest. Raises UpstreamError, or UpstreamTimeout."""
        limit = timeouts.first_token
        if self.request.options.timeout_ms is not None:
            limit = min(limit, self.request.options.timeout_ms / 1000)
        held: list[bytes] = []
        try:
            async with asyncio.timeout(limit):
                chunks = await stack.enter_async_context(self.provider.stream(self.route.model, self.request, timeouts))
                async for chunk in chunks:
                    held.append(chunk.data)
                    if chunk.content:
                        return b"".join(held), chunks
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self.route.model.provider} did not start to answer within {limit:g} seconds."
            ) from None
        raise UpstreamError(f"{self.route.model.provider} sent an empty answer.")

    def succeeded(self, usage: Usage, raw: Any) -> Decimal | None:
        """Note a good end; returns the cost."""
        executor, model = self._executor, self.route.model
        executor.health.succeeded(model.id)
        executor._providers.report(model.provider, HEALTHY)
        self.route.cost = self._cost(usage, raw)
        self._record("ok", usage, self.route.cost)
        return self.route.cost

    def failed(self, error: UpstreamError | Unsupported) -> Failure:
        """Note a failure. Raises it again when another model would not do better."""
        self._record(error.code, Usage(), Decimal(0))
        if isinstance(error, Unsupported):  # this dialect cannot say it; another one may
            return Failure(self.route.model, error)
        if not error.retryable:
            raise error
        self.troubled(error)
        return Failure(self.route.model, error)

    def cancelled(self) -> None:
        """Note that the caller left before there was any answer; the provider may bill the prompt all the same."""
        self.ended("cancelled", Usage(prompt=self.request.prompt_tokens, estimated=True), None)

    def troubled(self, error: UpstreamError) -> None:
        """Let the model cool down."""
        self._executor.health.failed(self.route.model.id, error)
        if error.status is None:
            self._executor._providers.report(self.route.model.provider, Probe(healthy=False, detail=error.message))

    def ended(self, outcome: str, usage: Usage, raw: Any) -> None:
        """Note the end of a stream that did not come to its own."""
        self._record(outcome, usage, self._cost(usage, raw))

    def _cost(self, usage: Usage, raw: Any) -> Decimal | None:
        provider = self._executor._providers.get(self.route.model.provider)
        billed = raw.get("cost") if isinstance(raw, dict) and provider and provider.reports_cost else None
        if isinstance(billed, int | float) and not isinstance(billed, bool):
            return Decimal(str(billed))
        return self._executor._prices.cost(self.route.model, usage)

    def _record(self, outcome: str, usage: Usage, cost: Decimal | None) -> None:
        model = self.route.model
        self._executor._ledger.record(
            Entry(
                at=self._executor._clock(),
                request_id=self._caller.request_id,
                caller=self._caller.id,
                model_id=model.id,
                provider=model.provider,
                layer=model.layer,
                prompt_tokens=usage.prompt,
                completion_tokens=usage.completion,
                cached_tokens=usage.cached,
                cost=cost,
                outcome=outcome,
                estimated=usage.estimated,
                duration_ms=int((time.perf_counter() - self._started) * 1000),
                tags=self.request.options.tags,
            )
        )


class StreamedAnswer:
    """An answer under way: iterate it for runs of server-sent events in OpenAI's form, the usage event last.

    Raises UpstreamError from the iteration when the provider breaks off: the answer is then incomplete for good.
    """

    def __init__(self, attempt: _Attempt, first: bytes, rest: AsyncIterator[Chunk]) -> None:
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
