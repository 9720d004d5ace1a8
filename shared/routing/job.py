"""One request on its way: who asks, what is left of its time and money, and whom it has asked so far."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Literal

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import Layer, Model
from shared.errors import BudgetExceeded, GatewayError, Unsupported, UpstreamError, UpstreamTimeout
from shared.routing.policy import FREE_LAYER
from shared.usage.bound import Bound
from shared.usage.refusal import is_held

Purpose = Literal["answer", "hedge", "agreement", "escalation", "review", "arbitration", "self-check"]


class Deadline:
    """The caller's own limit for the whole request, over all attempts; without one it never passes."""

    def __init__(self, milliseconds: int | None) -> None:
        self._milliseconds = milliseconds
        self._at = float("inf") if milliseconds is None else time.monotonic() + milliseconds / 1000

    @property
    def set(self) -> bool:
        """Whether there is one."""
        return self._milliseconds is not None

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(self._at - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._at

    def timeout(self) -> asyncio.Timeout:
        """A block that ends with TimeoutError when the time is up."""
        return asyncio.timeout(self.left if self.set else None)

    def error(self) -> UpstreamTimeout:
        """What the caller is told."""
        return UpstreamTimeout(
            f"No answer came within the {self._milliseconds} ms that the request allows.", code="request_timeout"
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that failed."""

    model: Model
    error: UpstreamError | Unsupported
    key: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """One call of a model, for the record: how it ended, what it cost (None: not known), how long it took."""

    model: Model
    purpose: Purpose
    outcome: str
    cost: Decimal | None
    milliseconds: int


@dataclass(slots=True)
class Tab:
    """What one request has come to so far. `limit` is the caller's own for it, in US dollars; `bound` its budgets;
    `paid` takes the place of `bound` in paid layers where `auto` has a budget for them;
    `spent` is in US dollars, as far as prices are known; `held` is what calls under way may cost.
    `chat_id` is ours, for counting: several chats may have been given the same request id.
    """

    deadline: Deadline
    bound: Bound | None = None
    limit: Decimal | None = None
    paid: Bound | None = None
    calls: list[Made] = field(default_factory=list)
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    unpriced: bool = False
    chat_id: str = field(default_factory=partial(secrets.token_hex, 8))

    def add(self, call: Made) -> None:
        """A call was made."""
        self.calls.append(call)
        if call.cost is None:
            self.unpriced = True
        else:
            self.spent += call.cost

    @property
    def total(self) -> Decimal | None:
        """US dollars for everything; None when a price is not known."""
        return None if self.unpriced else self.spent

    @property
    def left(self) -> Decimal | None:
        """US dollars that may still be spent in the free layer, or anywhere without `paid`; None without any limit."""
        return self.left_in(FREE_LAYER)

    def bound_in(self, layer: Layer) -> Bound | None:
        """The budgets that bind a call of that layer."""
        return self.paid if self.paid is not None and layer != FREE_LAYER else self.bound

    def left_in(self, layer: Layer) -> Decimal | None:
        """US dollars that may still be spent there; None without any limit."""
        if self.limit is None and self.bound is None and self.paid is None:
            return None
        bound = self.bound_in(layer)
        own = None if self.limit is None else self.limit - self.spent - self.held
        budgets = None if bound is None else bound.left
        return min((amount for amount in (own, budgets) if amount is not None), default=None)

    async def freed(self, error: GatewayError, until: float) -> bool:
        """Wait for money that other requests hold, until that moment (monotonic) at most.

        False when that is not what the error is about, or the time is up.
        """
        bound, seconds = self.paid or self.bound, min(until - time.monotonic(), self.deadline.left)
        if bound is None or seconds <= 0 or not (isinstance(error, BudgetExceeded) and is_held(error)):
            return False
        await bound.freed(seconds)
        return True

    async def refusal(self, wanted: Decimal) -> BudgetExceeded:
        """What to say when a call may cost so much and less is left: the budget in the way says so itself."""
        bound = self.paid or self.bound
        if bound is not None:
            try:
                (await bound.reserve(wanted)).settle(Decimal(0))
            except BudgetExceeded as error:
                return error
        left = Decimal(0) if self.limit is None else max(self.limit - self.spent - self.held, Decimal(0))
        return BudgetExceeded(
            f"'gateway.budgetUsd' leaves ${left:.6f} and this may cost ${wanted:.6f}: raise it, ask for fewer max_tokens, "
            "or name a cheaper model."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to ask of the first of `models` that answers. Without `may_spend` those of the free layer must be free.

    `resting` are others that would do but are cooling down: they are not asked, and named when nobody answers.
    `further` finds the models to ask when all of these have failed.
    """

    caller: Caller
    request: ChatRequest
    models: tuple[Model, ...]
    tab: Tab
    purpose: Purpose = "answer"
    may_spend: bool = True
    hedged: bool = False
    resting: tuple[Model, ...] = ()
    further: Callable[[], Iterable[Model]] | None = None
