"""Who makes a thing, and who waits for it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from shared.errors import GatewayError, Unavailable, UpstreamTimeout
from shared.routing.caching.single_flight import Flights
from tests.support.waiting import until


class Makers:
    """Tasks that want the same; the first ones do as `script` says, the others make it."""

    def __init__(self, *script: Callable[[], str | None]) -> None:
        self.flights: Flights[str] = Flights()
        self.made = 0
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()
        self.later = asyncio.Event()
        self.later.set()
        self._script = list(script)

    async def want(self, patience: float = 5) -> str | None:
        async with self.flights.turn("k", patience) as flight:
            if flight.value is not None:
                return flight.value
            self.made += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self.go.wait()
                if self.made > 1:
                    await self.later.wait()
                value = self._script.pop(0)() if self._script else "good"
            finally:
                self.at_once -= 1
            flight.landed(value)
            return value

    async def start(self, count: int) -> list[asyncio.Task[str | None]]:
        tasks = [asyncio.create_task(self.want()) for _ in range(count)]
        await until(lambda: self.made > 0)
        return tasks


def failing(error: GatewayError | None = None) -> Callable[[], str]:
    def fail() -> str:
        raise error or Unavailable("no")

    return fail


async def test_one_makes_it_for_all() -> None:
    makers = Makers()
    tasks = await makers.start(100)
    makers.go.set()
    assert await asyncio.gather(*tasks) == ["good"] * 100
    assert makers.made == 1
    assert len(makers.flights) == 0


async def test_whoever_comes_later_begins_anew() -> None:
    makers = Makers()
    makers.go.set()
    await makers.want()
    await makers.want()
    assert makers.made == 2


async def test_a_maker_who_is_cancelled_hands_over_to_the_next_alone() -> None:
    makers = Makers()
    tasks = await makers.start(50)
    for number in range(3):
        tasks[number].cancel()
        await asyncio.wait([tasks[number]])
        await until(lambda: makers.made == number + 2)  # noqa: B023 - waited for here
    makers.go.set()
    assert await asyncio.gather(*tasks[3:]) == ["good"] * 47
    assert (makers.made, makers.most_at_once) == (4, 1)


async def test_one_who_is_cancelled_while_waiting_is_missed_by_nobody() -> None:
    makers = Makers()
    tasks = await makers.start(10)
    for task in tasks[1:9]:
        task.cancel()
    tasks[0].cancel()
    makers.go.set()
    await asyncio.wait(tasks)
    assert await tasks[9] == "good"
    assert len(makers.flights) == 0


async def test_a_maker_who_fails_hands_over_to_the_next_alone() -> None:
    makers = Makers(failing())
    tasks = await makers.start(50)
    makers.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], Unavailable)
    assert answers[1:] == ["good"] * 49
    assert (makers.made, makers.most_at_once) == (2, 1)


async def test_after_two_failures_those_who_wait_are_told_and_none_waits_for_a_third() -> None:
    makers = Makers(failing(), failing(Unavailable("still no")))
    tasks = await makers.start(50)
    makers.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no", *["still no"] * 49]
    assert makers.made == 2
    assert await makers.want() == "good"


async def test_somebody_elses_time_limit_is_no_failure_of_the_thing() -> None:
    makers = Makers(*(failing(UpstreamTimeout("late", code="request_timeout")) for _ in range(5)))
    tasks = await makers.start(20)
    makers.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[5:] == ["good"] * 15


async def test_a_bug_of_the_maker_is_his_alone() -> None:
    def bug() -> str:
        raise RuntimeError

    makers = Makers(bug, bug, bug)
    tasks = await makers.start(5)
    makers.go.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError] * 3 + [str] * 2


async def test_where_the_answer_is_of_no_use_to_others_nobody_waits_in_line() -> None:
    makers = Makers(lambda: None)
    makers.later.clear()
    tasks = await makers.start(20)
    makers.go.set()
    await until(lambda: makers.at_once == 19)
    makers.later.set()
    assert await asyncio.gather(*tasks) == [None, *["good"] * 19]
    assert len(makers.flights) == 0


async def test_patience_ends_and_one_goes_on_alone() -> None:
    makers = Makers()
    (first,) = await makers.start(1)
    impatient = asyncio.create_task(makers.want(patience=0.01))
    await until(lambda: makers.made == 2)
    makers.go.set()
    assert await asyncio.gather(first, impatient) == ["good"] * 2
    assert len(makers.flights) == 0


async def test_what_is_forgotten_is_made_anew_and_those_who_wait_stay_together() -> None:
    makers = Makers()
    tasks = await makers.start(5)
    makers.flights.forget("other")
    makers.flights.forget("k")
    later = asyncio.create_task(makers.want())
    await until(lambda: makers.made == 2)
    makers.go.set()
    assert await asyncio.gather(*tasks, later) == ["good"] * 6
    assert makers.made == 2
    assert len(makers.flights) == 0


@pytest.mark.parametrize("seed", range(20))
async def test_under_any_mix_of_cancellations_and_failures_everybody_is_answered(seed: int) -> None:
    import random

    chance = random.Random(seed)
    makers = Makers(*(chance.choice([failing(), lambda: "good"]) for _ in range(3)))
    tasks = await makers.start(40)
    for task in chance.sample(tasks, 20):
        task.cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    makers.go.set()
    async with asyncio.timeout(5):
        for task in tasks:
            with suppress(asyncio.CancelledError, GatewayError):
                assert await task == "good"
    assert len(makers.flights) == 0
    assert makers.most_at_once == 1
