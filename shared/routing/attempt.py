"""One model being asked: its provider, its outcome, its line in the ledger."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import EllipsisType
from typing import Any, Self

from shared.domain.budgets import AUTO_TAG, AUTO_VALUE
from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.domain.trace import current_id
from shared.domain.usage import Usage
from shared.errors import (
    Ability,
    Unsupported,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamNetwork,
    UpstreamTimeout,
    UpstreamUnable,
)
from shared.providers.base import Probe, Provider, Timeouts
from shared.providers.directory import Directory
from shared.providers.embedded import NOTICE, is_embedded
from shared.routing.allowance import FEWEST_TOKENS, allowance, most
from shared.routing.answers import Route
from shared.routing.fitness import fitting
from shared.routing.health import Health
from shared.routing.job import Failure, Job, Made, Purpose
from shared.routing.planner import Conditions
from shared.routing.policy import FREE_LAYER
from shared.routing.treatment import too_long_perhaps, treatment
from shared.structured import get_logger
from shared.usage.bound import Reservation
from shared.usage.ledger import Entry, Ledger
from shared.usage.pricing import PriceBook, billed

log = get_logger(__name__)


HEALTHY = Probe(healthy=True)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every attempt works with."""

    providers: Directory
    health: Health
    ledger: Ledger
    prices: PriceBook
    timeouts: Timeouts
    clock: Callable[[], datetime]
    learned: Callable[[Model, Ability, bool], None] = lambda *_: None
    attempt: "Callable[[Desk, Job, Model, int, int, Purpose], Attempt]" = field(default_factory=lambda: Attempt)


def costs_money(providers: Directory, prices: PriceBook) -> Callable[[Model], bool]:
    """Return a test for whether a model is known, or must be taken, to cost money."""

    def bills(model: Model) -> bool:
        rates = prices.rates(model)
        return providers.may_bill(model) if rates is None else not rates.free

    return bills


def conditions_of(desk: Desk) -> Conditions:
    """The world as the desk sees it, for the planner."""
    providers, health = desk.providers, desk.health

    def cooling(model: Model, now: float) -> float:
        if health.all_well:
            return 0.0
        keys = range(providers.keys(model.provider) or 1)
        return min(health.cooling(model, key, now=now) for key in keys)

    return Conditions(
        serves=providers.serves,
        cooling=cooling,
        now=health.now,
        rates=desk.prices.rates,
        may_bill=providers.may_bill,
        rank=health.rank,
        draw=random.random,
    )


def fitted(request: ChatRequest, model: Model) -> tuple[ChatRequest, str]:
    """Return the request with an answer that fits the model's context window beside the prompt, and a notice of the change.

    Clients ask for more than they need (32,000 tokens is usual for agents). A model asked for by name is left to judge.
    """
    facts, tokens = request.facts, fitting(request.facts, model).max_tokens
    if tokens is None or tokens == facts.max_tokens:
        return request, ""
    notice = f"max_tokens was lowered from {facts.max_tokens} to {tokens} to fit the context window of {model.id}"
    return request.limited(tokens), notice


class Attempt:
    """One model being asked, with one of its provider's keys. It ends once, and is then written down.

    Leaving its block lets go of what it holds, if it has come to no end by then: nothing was sent.
    """

    def __init__(self, desk: Desk, job: Job, model: Model, key: int, number: int, purpose: Purpose) -> None:
        self.job = job
        self.model = model
        self.key = key
        self.number = number
        self.request, self._notice = fitted(job.request, model)
        self._funded = job.tab.paid is not None and model.layer != FREE_LAYER
        self._desk = desk
        self._purpose = purpose
        self._asked = desk.providers.get(model.provider, key)
        self._reservation: Reservation | None = None
        self.told: dict[str, Any] | None = None
        self.native = False
        self.calls: list[str] = []
        self._held = Decimal(0)
        self._started = time.perf_counter()
        self._first_token: float | None = None
        self._over = False
        desk.health.began(model, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._over:
            self.abandon()

    def abandon(self) -> None:
        """Let go of what it holds: nothing was sent."""
        self._let_go(Decimal(0))

    @property
    def provider(self) -> Provider:
        """Raises UpstreamError when the provider has gone since the plan was made."""
        provider = self._desk.providers.get(self.model.provider, self.key)
        if provider is None:
            raise UpstreamError(f"The provider '{self.model.provider}' has just been removed or turned off.")
        return provider

    @property
    def route(self) -> Route:
        """How the answer came about, with what it has cost by now."""
        notice, tab = self._notices(), self.job.tab
        return Route(self.model, self.number, tab.total, notice=notice, chat_id=tab.chat_id, native=self.native)

    def _notices(self) -> str:
        """The notice for the caller: why this model was chosen, and what was changed in the request."""
        chosen = ""
        if is_embedded(self.model):
            chosen = NOTICE
        elif self._funded and any(model.layer == FREE_LAYER for model in self.job.models):
            chosen = "no free model could answer, so a paid one did within AUTO_BUDGET_USD_PER_DAY"
        return f"{chosen}; {self._notice}" if chosen and self._notice else chosen or self._notice

    async def reserve(self) -> None:
        """Set aside what the answer may cost, and bound its length so that it cannot cost more.

        Raises BudgetExceeded when that is more than is left.
        """
        left = self.job.tab.left_in(self.model.layer)
        if left is None:
            return
        rates = self._desk.prices.rates(self.model, str(self.request.payload.get("service_tier") or ""))
        if rates is None:
            return
        self.request = self.request.bounded()
        facts = self.request.facts
        allowed = allowance(facts, rates, left)
        if allowed is None:
            raise await self.job.tab.refusal(most(facts, rates, facts.max_tokens or FEWEST_TOKENS))
        if allowed.tokens and not facts.max_tokens:
            self.request = self.request.limited(allowed.tokens)
        self._held = allowed.cost
        self.job.tab.held += allowed.cost
        if (bound := self.job.tab.bound_in(self.model.layer)) is not None:
            self._reservation = await bound.reserve(allowed.cost)

    def complete(self) -> Awaitable[Completion]:
        """The whole answer. Raises UpstreamError, Unsupported."""
        return self.provider.complete(self.model, self.request, self._desk.timeouts)

    async def open(self, stack: AsyncExitStack) -> tuple[bytes, AsyncIterator[Chunk]]:
        """Everything up to the first content, and the rest. Raises UpstreamError, Unsupported."""
        timeouts = self._desk.timeouts
        held: list[bytes] = []
        try:
            async with asyncio.timeout(min(timeouts.first_token, self.job.tab.deadline.left)):
                chunks = await stack.enter_async_context(self.provider.stream(self.model, self.request, timeouts))
                async for chunk in chunks:
                    held.append(chunk.data)
                    self.calls += chunk.calls
                    self.hear(chunk.usage)
                    if chunk.content:
                        self.native = chunk.native
                        self._first_token = self._seconds
                        self._desk.health.answered_after(self.model, self._first_token, stream=True)
                        self._desk.health.succeeded(self.model, self.key)
                        return b"".join(held), chunks
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self.model.provider} did not start to answer within {timeouts.first_token:g} seconds."
            ) from None
        raise UpstreamBadAnswer(f"{self.model.provider} sent an empty answer.")

    def succeeded(self, usage: Usage, raw: Any) -> Decimal | None:
        """Note a good end; returns what the answer cost."""
        model = self.model
        if not self.request.stream:
            self._desk.health.answered_after(model, self._seconds, stream=False)
        self._desk.health.succeeded(model, self.key)
        self._desk.providers.report(model.provider, HEALTHY)
        cost = self._cost(usage, raw)
        self._end("ok", usage, cost)
        return cost

    def failed(self, error: UpstreamError | Unsupported) -> Failure:
        """Note a failure. Raises it again when another model would not do better."""
        error = too_long_perhaps(error, self.request.facts, self.model.context_window)
        if isinstance(error, UpstreamError):
            self.hear(error.usage)
        if isinstance(error, UpstreamTimeout) or (isinstance(error, UpstreamError) and error.begun):
            self.left(error.code)  # the prompt was sent, so it may be billed
        elif isinstance(error, UpstreamError) and error.usage:
            self.ended(error.code, Usage.from_openai(error.usage), error.usage)
        else:
            self._end(error.code, Usage(), Decimal(0))
        if isinstance(error, Unsupported):  # this dialect cannot say it; another one may
            return Failure(self.model, error, self.key)
        if not error.retryable:
            raise error
        if isinstance(error, UpstreamUnable) and self._needs(error.ability):
            self._desk.learned(self.model, error.ability, False)
        self.troubled(error)
        return Failure(self.model, error, self.key)

    def _needs(self, ability: Ability) -> bool:
        facts = self.request.facts
        return facts.needs_tools if ability == "tools" else facts.needs_vision

    def called_tools(self) -> None:
        """Note that the model has called a tool."""
        if self.model.capabilities.tools is None:
            self._desk.learned(self.model, "tools", True)

    def left(self, outcome: str = "cancelled") -> None:
        """Note that nobody waits for the answer any more. The provider may bill it all the same, nobody knows how much:
        the prompt is written down, and a budget is charged with everything that was set aside.
        """
        usage = self.used()
        self._end(outcome, usage, self._cost(usage, self.told), charged=None)

    def hear(self, usage: dict[str, Any] | None) -> None:
        """Keep what the provider says that is used by now, if it does."""
        self.told = usage or self.told

    def used(self, completion: int = 0) -> Usage:
        """What it has used by now: as the provider has told, else a guess, in which `completion` is what has come."""
        told = Usage.from_openai(self.told)
        known = told if told.prompt else replace(told, prompt=self.request.prompt_tokens, estimated=True)
        return known if known.completion else replace(known, completion=completion, estimated=True)

    def troubled(self, error: UpstreamError) -> None:
        """Let the deployment cool down; not where its account has been replaced meanwhile: this says nothing of the new one."""
        if self._desk.providers.get(self.model.provider, self.key) is not self._asked:
            return
        self._desk.health.failed(self.model, error, self.key)
        refused = treatment(error).rests in ("key", "credit")
        if refused:
            log.warning(
                "a provider does not take a key", provider=self.model.provider, key=self.key + 1, code=error.code
            )
        if refused or isinstance(error, UpstreamNetwork | UpstreamTimeout):
            self._desk.providers.report(self.model.provider, Probe(healthy=False, detail=error.message))

    def ended(self, outcome: str, usage: Usage, raw: Any) -> None:
        """Note the end of an answer that did not come to its own."""
        self._end(outcome, usage, self._cost(usage, raw))

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _cost(self, usage: Usage, raw: Any) -> Decimal | None:
        provider = self._desk.providers.get(self.model.provider, self.key)
        said = billed(raw) if provider is not None and provider.reports_cost else None
        return self._desk.prices.cost(self.model, usage) if said is None else said

    def _bar(self, cost: Decimal) -> None:
        """A free model that bills all the same did so once, and no further request falls for it."""
        for key in range(self._desk.providers.keys(self.model.provider) or 1):
            self._desk.health.bar(self.model, key, "bills_in_free_layer")
        log.error(
            "a model of the free layer has billed; it is kept away for an hour: set its price, or move it to a paid layer",
            model=self.model.id,
            cost=str(cost),
        )

    def _let_go(self, charged: Decimal | None) -> None:
        self._over = True
        self.job.tab.held -= self._held
        self._held = Decimal(0)
        self._desk.health.ended(self.model, self.key)
        if self._reservation is not None:
            self._reservation.settle(charged)

    def _end(
        self, outcome: str, usage: Usage, cost: Decimal | None, *, charged: Decimal | EllipsisType | None = ...
    ) -> None:
        """Write the end down. A budget is charged with the cost, unless `charged` says otherwise."""
        model, milliseconds = self.model, int(self._seconds * 1000)
        self._let_go(cost if isinstance(charged, EllipsisType) else charged)
        if cost and model.layer == FREE_LAYER and not self.job.may_spend:
            self._bar(cost)
        if (meter := self.job.caller.meter) is not None:
            meter.add(usage)
        self.job.tab.add(Made(model, self._purpose, outcome, cost, milliseconds))
        self._desk.ledger.record(
            Entry(
                at=self._desk.clock(),
                request_id=self.job.caller.request_id,
                caller=self.job.caller.id,
                model_id=model.id,
                provider=model.provider,
                layer=model.layer,
                prompt_tokens=usage.prompt,
                completion_tokens=usage.completion,
                cached_tokens=usage.cached,
                cost=cost,
                outcome=outcome,
                estimated=usage.estimated,
                duration_ms=milliseconds,
                tags={**self.request.options.tags, AUTO_TAG: AUTO_VALUE} if self._funded else self.request.options.tags,
                cache_write_tokens=usage.cache_write,
                reasoning_tokens=usage.reasoning,
                purpose=self._purpose,
                trace_id=current_id(),
                chat_id=self.job.tab.chat_id,
                first_token_seconds=self._first_token,
            )
        )
