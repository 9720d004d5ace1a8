"""The way through a plan's models and their keys: who is asked next after what the others said."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared.domain.models import Model
from shared.errors import BudgetExceeded, GatewayError, Unsupported, UpstreamError
from shared.routing import exhausted
from shared.routing.attempt import Attempt, Desk
from shared.routing.job import Failure, Job, Purpose
from shared.routing.ruled_out import RuledOut
from shared.routing.treatment import treatment

MAX_ATTEMPTS = 8
MAX_WAITS = 2
FIRST_BACKOFF = 0.5


@dataclass(slots=True)
class Turns:
    """Which of a provider's keys comes next."""

    taken: Counter[str] = field(default_factory=Counter)

    def order(self, provider: str, keys: int) -> tuple[int, ...]:
        """All keys, another one first each time."""
        if keys <= 1:
            return tuple(range(keys))
        first = self.taken[provider] % keys
        self.taken[provider] += 1
        return (*range(first, keys), *range(first))


class Walk:
    """One way through the models of a job. Deployments that are cooling are passed by; when there is nobody else, the
    one that is back soonest is asked once; and when waiting is all that is left, it waits, `patience` seconds at most, or
    `money_patience` seconds for money that other requests hold.
    """

    def __init__(self, desk: Desk, turns: Turns, job: Job, patience: float, money_patience: float) -> None:
        self.failures: list[Failure] = []
        self._desk = desk
        self._job = job
        self._patience = patience
        self._until = time.monotonic() + money_patience
        self._turns = turns
        self._further = job.further if job.purpose == "answer" else None
        self._ways = _deployments(job.models, turns, desk.providers.keys)
        self._passed_by: list[tuple[Model, int]] = []
        self._number = 0
        self._waits = 0
        self._last_chance = False
        self._ruled_out = RuledOut()
        self._over_budget: BudgetExceeded | None = None

    async def next(self, purpose: Purpose | None = None) -> Attempt | None:
        """The next attempt, its money set aside; None when nobody is left to ask.

        A hedge is for who is well: beside another attempt, one that is cooling is no help, and neither is waiting.
        """
        while (way := await self._way_with_money(purpose)) is not None:
            attempt = self._desk.attempt(self._desk, self._job, *way, self._number + 1, purpose or self._job.purpose)
            try:
                await attempt.reserve()
            except BudgetExceeded as error:
                attempt.abandon()
                self._over_budget = error
                continue
            except BaseException:
                attempt.abandon()
                raise
            self._number += 1
            return attempt
        return None

    def failed(self, attempt: Attempt, error: UpstreamError | Unsupported) -> None:
        """Take a failure in. Raises it when another model would not do better."""
        failure = attempt.failed(error)
        self.failures.append(failure)
        self._ruled_out.add(failure.model, treatment(failure.error).next)

    def exhausted(self) -> GatewayError:
        """What to say when nobody is left."""
        if not self.failures and self._over_budget is not None:
            return self._over_budget
        health = self._desk.health
        resting = [
            exhausted.Resting(model, health.cooling(model, key), health.reason(model, key))
            for model, key in (*self._passed_by, *((model, 0) for model in self._job.resting))
        ]
        return exhausted.all_failed(self.failures, resting)

    async def _way_with_money(self, purpose: Purpose | None) -> tuple[Model, int] | None:
        """The next deployment; when requests under way hold the money for all of them, the first again once it is free."""
        found = await self._way(well=purpose == "hedge")
        if found or self._over_budget is None or self._number or purpose == "hedge":
            return found
        if not await self._job.tab.freed(self._over_budget, self._until):
            return None
        self._ways = _deployments(self._job.models, self._turns, self._desk.providers.keys)
        return await self._way(well=False)

    async def _way(self, *, well: bool) -> tuple[Model, int] | None:
        """A deployment that is well, else once the one that is back soonest, else one that was worth waiting for."""
        if self._number >= MAX_ATTEMPTS:
            return None
        found = self._next_well()
        if found is None and not well and (further := self._further) is not None:
            self._further = None
            self._ways = _deployments(further(), self._turns, self._desk.providers.keys)
            found = self._next_well()
        return found if found or well else self._soonest() or await self._waited()

    def _next_well(self) -> tuple[Model, int] | None:
        for model, key in self._ways:
            if model in self._ruled_out:
                continue
            if self._desk.health.cooling(model, key) == 0:
                return model, key
            self._passed_by.append((model, key))
        return None

    def _soonest(self) -> tuple[Model, int] | None:
        """Of those passed by the one whose rest ends first."""
        ways = [way for way in self._passed_by if way[0] not in self._ruled_out and not self._desk.health.barred(*way)]
        if self._last_chance or not ways:
            return None
        self._last_chance = True
        now = self._desk.health.now()
        soonest = min(ways, key=lambda way: self._desk.health.cooling(*way, now=now))
        self._passed_by.remove(soonest)
        return soonest

    async def _waited(self) -> tuple[Model, int] | None:
        """Waiting is the only way left: for the failure that passes soonest, if that is soon enough."""
        if self._last_chance or self._waits >= MAX_WAITS:
            return None
        passing = [one for one in self.failures if treatment(one.error).passing and one.model not in self._ruled_out]
        found = [(self._wait_for(failure), failure) for failure in passing]
        if not found:
            return None
        seconds, failure = min(found, key=lambda pair: pair[0])
        if seconds > min(self._patience, self._job.tab.deadline.left):
            return None
        self._waits += 1
        self._patience -= seconds
        await asyncio.sleep(seconds)
        return failure.model, failure.key

    def _wait_for(self, failure: Failure) -> float:
        if failure.error.retry_after is not None:
            return failure.error.retry_after
        return FIRST_BACKOFF * 2.0**self._waits * (0.5 + random.random() / 2)  # noqa: S311 - jitter


def _deployments(models: Iterable[Model], turns: Turns, keys: Callable[[str], int]) -> Iterator[tuple[Model, int]]:
    """It must not know of the walk that holds it: together they would stay behind, with the whole request."""
    for model in models:
        for key in turns.order(model.provider, keys(model.provider) or 1):
            yield model, key
