"""One model being asked: its provider, its outcome, its line in the ledger."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.chat import ChatRequest, Chunk
from shared.domain.identity import Caller
from shared.domain.models import Model
from shared.domain.usage import Usage
from shared.errors import Unsupported, UpstreamError, UpstreamTimeout
from shared.providers.base import Probe, Provider, Timeouts
from shared.providers.directory import Directory
from shared.routing.exhausted import Failure
from shared.routing.health import Health
from shared.usage.ledger import Entry, Ledger
from shared.usage.pricing import PriceBook

HEALTHY = Probe(healthy=True)
LARGEST_BILL = 1_000_000


@dataclass(slots=True)
class Route:
    """How an answer came about. `cost` is None while it is not known."""

    model: Model
    attempts: int
    cost: Decimal | None = None


class Deadline:
    """The caller's own limit for the whole request, over all attempts; without one it never passes."""

    def __init__(self, milliseconds: int | None) -> None:
        self._milliseconds = milliseconds
        self._at = float("inf") if milliseconds is None else time.monotonic() + milliseconds / 1000

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(self._at - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at

    def error(self) -> UpstreamTimeout:
        """What the caller is told."""
        return UpstreamTimeout(
            f"No answer came within the {self._milliseconds} ms that the request allows.", code="request_timeout"
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """What every attempt works with."""

    providers: Directory
    health: Health
    ledger: Ledger
    prices: PriceBook
    timeouts: Timeouts
    clock: Callable[[], datetime]


class Attempt:
    """One model being asked."""

    def __init__(self, desk: Desk, caller: Caller, request: ChatRequest, route: Route) -> None:
        self.request = request
        self.route = route
        self._desk = desk
        self._caller = caller
        self._started = time.perf_counter()

    @property
    def provider(self) -> Provider:
        """Raises UpstreamError when the provider has gone since the plan was made."""
        provider = self._desk.providers.get(self.route.model.provider)
        if provider is None:
            raise UpstreamError(f"The provider '{self.route.model.provider}' has just been removed or turned off.")
        return provider

    async def open(self, stack: AsyncExitStack, deadline: Deadline) -> tuple[bytes, AsyncIterator[Chunk]]:
        """Everything up to the first content, and the rest. Raises UpstreamError."""
        timeouts = self._desk.timeouts
        held: list[bytes] = []
        try:
            async with asyncio.timeout(min(timeouts.first_token, deadline.left)):
                chunks = await stack.enter_async_context(self.provider.stream(self.route.model, self.request, timeouts))
                async for chunk in chunks:
                    held.append(chunk.data)
                    if chunk.content:
                        return b"".join(held), chunks
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self.route.model.provider} did not start to answer within {timeouts.first_token:g} seconds."
            ) from None
        raise UpstreamError(f"{self.route.model.provider} sent an empty answer.")

    def succeeded(self, usage: Usage, raw: Any) -> Decimal | None:
        """Note a good end; returns the cost."""
        model = self.route.model
        self._desk.health.succeeded(model.id)
        self._desk.providers.report(model.provider, HEALTHY)
        self.route.cost = self._cost(usage, raw)
        self._record("ok", usage, self.route.cost)
        return self.route.cost

    def failed(self, error: UpstreamError | Unsupported) -> Failure:
        """Note a failure. Raises it again when another model would not do better."""
        if isinstance(error, UpstreamTimeout):
            self.left(error.code)  # the prompt was sent, so it may be billed
        else:
            self._record(error.code, Usage(), Decimal(0))
        if isinstance(error, Unsupported):  # this dialect cannot say it; another one may
            return Failure(self.route.model, error)
        if not error.retryable:
            raise error
        self.troubled(error)
        return Failure(self.route.model, error)

    def left(self, outcome: str = "cancelled") -> None:
        """Note that nobody waits for the answer any more; the provider may bill the prompt all the same."""
        self.ended(outcome, Usage(prompt=self.request.prompt_tokens, estimated=True), None)

    def troubled(self, error: UpstreamError) -> None:
        """Let the model cool down."""
        self._desk.health.failed(self.route.model.id, error)
        if error.status is None:
            self._desk.providers.report(self.route.model.provider, Probe(healthy=False, detail=error.message))

    def ended(self, outcome: str, usage: Usage, raw: Any) -> None:
        """Note the end of an answer that did not come to its own."""
        self._record(outcome, usage, self._cost(usage, raw))

    def _cost(self, usage: Usage, raw: Any) -> Decimal | None:
        provider = self._desk.providers.get(self.route.model.provider)
        billed = raw.get("cost") if isinstance(raw, dict) and provider and provider.reports_cost else None
        if isinstance(billed, int | float) and not isinstance(billed, bool) and 0 <= billed <= LARGEST_BILL:
            return Decimal(str(billed))
        return self._desk.prices.cost(self.route.model, usage)

    def _record(self, outcome: str, usage: Usage, cost: Decimal | None) -> None:
        model = self.route.model
        self._desk.ledger.record(
            Entry(
                at=self._desk.clock(),
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
