"""Rate limits and failed logins."""

import asyncio

import pytest

from shared.errors import RateLimited
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.rate_limits import PER_ADDRESS, UNLIMITED, LimitState, LoginAttempts, RateLimits, network
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, per_minute: int, per_hour: int) -> RateLimits:
    return RateLimits(
        Windows(MemoryWindows(clock.seconds)), per_minute=per_minute, per_hour=per_hour, wall_clock=clock.seconds
    )


async def test_an_address_may_call_so_often_a_minute_and_is_told(clock: Clock) -> None:
    both = limits(clock, 3, 100)
    now = int(clock.seconds())
    first = await both.check("10.0.0.1")
    assert first == LimitState(3, 2, now + 61, allowed=True, retry_after=0, rule=PER_ADDRESS)
    clock.advance(seconds=20)
    remaining = [(await both.check("10.0.0.1")).remaining for _ in range(2)]
    assert remaining == [1, 0]
    refused = await both.check("10.0.0.1")
    assert refused == LimitState(3, 0, now + 61, allowed=False, retry_after=41, rule=PER_ADDRESS)
    assert (await both.check("10.0.0.2")).allowed


async def test_the_time_to_wait_is_neither_too_short_nor_too_long(clock: Clock) -> None:
    both = limits(clock, 1, 0)
    await both.check("10.0.0.1")
    refused = await both.check("10.0.0.1")
    clock.advance(seconds=refused.retry_after - 2)
    assert not (await both.check("10.0.0.1")).allowed
    clock.advance(seconds=2)
    assert (await both.check("10.0.0.1")).allowed


async def test_the_nearer_limit_is_shown(clock: Clock) -> None:
    both = limits(clock, 100, 3)
    assert (await both.check("10.0.0.1")).limit == 100
    states = [await both.check("10.0.0.1", "key-1") for _ in range(4)]
    assert [(state.limit, state.remaining, state.allowed) for state in states] == [
        (3, 2, True),
        (3, 1, True),
        (3, 0, True),
        (3, 0, False),
    ]
    assert 3600 <= states[-1].retry_after <= 3602


async def test_an_identity_counts_over_all_addresses_and_another_not(clock: Clock) -> None:
    both = limits(clock, 100, 2)
    assert (await both.check("10.0.0.1", "key-1")).allowed
    assert (await both.check("10.0.0.2", "key-1")).allowed
    assert not (await both.check("10.0.0.3", "key-1")).allowed
    assert (await both.check("10.0.0.3", "key-2")).allowed


async def test_an_identity_can_have_its_own_limit_or_none(clock: Clock) -> None:
    both = limits(clock, 0, 2)
    assert [(await both.check("10.0.0.1", "key-1", 4)).allowed for _ in range(5)] == [True] * 4 + [False]
    assert await both.check("10.0.0.1", "key-2", 0) == UNLIMITED
    assert [(await both.check("10.0.0.1", "key-3")).allowed for _ in range(3)] == [True, True, False]


async def test_a_refused_request_uses_up_nothing(clock: Clock) -> None:
    both = limits(clock, 5, 2)
    for _ in range(10):
        await both.check("10.0.0.1", "key-1")
    assert (await both.check("10.0.0.1")).remaining == 2


async def test_nothing_is_limited_when_both_are_off(clock: Clock) -> None:
    both = limits(clock, 0, 0)
    for _ in range(10):
        assert await both.check("10.0.0.1", "key-1") == UNLIMITED


async def test_five_hundred_at_once_get_exactly_the_limit(clock: Clock) -> None:
    both = limits(clock, 100, 1000)
    states = await asyncio.gather(*(both.check("10.0.0.1", "key-1") for _ in range(500)))
    assert [state.allowed for state in states].count(True) == 100


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_what_counts_as_one_client(address: str, client: str) -> None:
    assert network(address) == client


async def test_ten_failed_logins_a_minute_and_then_wait(clock: Clock) -> None:
    attempts = LoginAttempts(Windows(MemoryWindows(clock.seconds)), per_minute=10)
    for _ in range(10):
        await attempts.begin("10.0.0.1")
    with pytest.raises(RateLimited) as refused:
        await attempts.begin("10.0.0.1")
    assert refused.value.retry_after is not None
    assert 60 <= refused.value.retry_after <= 61
    await attempts.begin("10.0.0.2")
    clock.advance(seconds=61)
    await attempts.begin("10.0.0.1")


async def test_successes_are_not_counted(clock: Clock) -> None:
    attempts = LoginAttempts(Windows(MemoryWindows(clock.seconds)), per_minute=2)
    for _ in range(10):
        await attempts.begin("10.0.0.1")
        await attempts.succeeded("10.0.0.1")
    await attempts.begin("10.0.0.1")
    await attempts.begin("10.0.0.1")
    with pytest.raises(RateLimited):
        await attempts.begin("10.0.0.1")
