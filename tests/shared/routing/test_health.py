"""Breakers: who failed stays out of the way, for longer each time, until it answers."""

import pytest

from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamThrottled,
)
from shared.routing.health import LONGEST_COOLDOWN, Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def test_a_failure_cools_and_the_next_one_for_longer(health: Health, clock: Clock) -> None:
    health.failed("m", UpstreamError("x"))
    first = health.cooling("m")
    clock.now += first
    assert health.cooling("m") == 0
    health.failed("m", UpstreamError("x"))
    assert health.cooling("m") == 2 * first


def test_it_never_cools_for_ever(health: Health, clock: Clock) -> None:
    for _ in range(50):
        clock.now += health.cooling("m")
        health.failed("m", UpstreamError("x"))
    assert health.cooling("m") == LONGEST_COOLDOWN
    health.failed("n", UpstreamThrottled("x", retry_after=86_400))
    assert health.cooling("n") == LONGEST_COOLDOWN


def test_many_requests_in_the_same_trouble_count_once(health: Health) -> None:
    health.failed("m", UpstreamError("x"))
    first = health.cooling("m")
    for _ in range(20):
        health.failed("m", UpstreamError("x"))
    assert health.cooling("m") == first


def test_a_success_forgets(health: Health) -> None:
    health.failed("m", UpstreamError("x"))
    health.succeeded("m")
    assert health.cooling("m") == 0
    assert health.cooling_models() == {}


def test_retry_after_is_honoured(health: Health) -> None:
    health.failed("m", UpstreamThrottled("x", retry_after=7))
    assert health.cooling("m") == 7


def test_a_dead_key_cools_for_long(health: Health) -> None:
    health.failed("m", UpstreamAuthFailed("x"))
    assert health.cooling("m") >= 60
    assert health.reason("m") == "provider_auth_failed"


@pytest.mark.parametrize("error", [UpstreamBadRequest("x"), UpstreamContextTooLong("x")])
def test_the_callers_own_fault_cools_nobody(health: Health, error: UpstreamError) -> None:
    health.failed("m", error)
    assert health.cooling("m") == 0


def test_one_model_does_not_cool_another(health: Health) -> None:
    health.failed("m", UpstreamError("x"))
    assert health.cooling("other") == 0
    assert list(health.cooling_models()) == ["m"]
