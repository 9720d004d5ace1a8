"""Breakers: who failed stays out of the way, for longer each time, until it answers."""

import pytest

from shared.domain.models import Model
from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamThrottled,
)
from shared.routing.health import BARRED_SECONDS, HALF_OPEN_SECONDS, Health
from shared.routing.treatment import LONGEST_COOLDOWN, LONGEST_RETRY_AFTER


def model(name: str, provider: str = "openai") -> Model:
    return Model(id=name, provider=provider, api_model_name=name, layer="L0")


M, OTHER = model("m"), model("other")


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
    health.failed(M, UpstreamError("x"))
    first = health.cooling(M)
    clock.now += first
    assert health.cooling(M) == 0
    health.failed(M, UpstreamError("x"))
    assert health.cooling(M) == 2 * first


def test_it_never_cools_for_ever(health: Health, clock: Clock) -> None:
    for _ in range(50):
        clock.now += health.cooling(M)
        health.failed(M, UpstreamError("x"))
    assert health.cooling(M) == LONGEST_COOLDOWN
    health.failed(OTHER, UpstreamThrottled("x", retry_after=86_400))
    assert health.cooling(OTHER) == LONGEST_RETRY_AFTER


def test_many_requests_in_the_same_trouble_count_once(health: Health) -> None:
    health.failed(M, UpstreamError("x"))
    first = health.cooling(M)
    for _ in range(20):
        health.failed(M, UpstreamError("x"))
    assert health.cooling(M) == first


def test_a_success_forgets(health: Health) -> None:
    health.failed(M, UpstreamError("x"))
    health.succeeded(M)
    assert health.cooling(M) == 0
    assert health.cooling_models() == {}


def test_retry_after_is_honoured(health: Health) -> None:
    health.failed(M, UpstreamThrottled("x", retry_after=7))
    assert health.cooling(M) == 7


@pytest.mark.parametrize("error", [UpstreamAuthFailed("x", status=401), UpstreamQuota("x", status=402)])
def test_a_dead_key_rests_with_all_its_models_and_the_other_keys_go_on(health: Health, error: UpstreamError) -> None:
    health.failed(M, error, 1)
    assert health.cooling(M, 1) >= 60
    assert health.cooling(OTHER, 1) >= 60
    assert health.cooling(M, 0) == health.cooling(OTHER, 0) == 0
    assert health.cooling(model("elsewhere", provider="anthropic"), 1) == 0
    whole = "credit" if isinstance(error, UpstreamQuota) else "provider"
    assert list(health.cooling_models()) == ["m (key 2)", f"{whole}:openai (key 2)"]
    health.succeeded(OTHER, 1)
    assert health.cooling(OTHER, 1) == 0
    assert health.cooling(M, 1) >= 60


def test_what_a_key_may_not_use_rests_alone(health: Health) -> None:
    health.failed(M, UpstreamAuthFailed("x", status=403))
    assert health.cooling(M) >= 60
    assert health.cooling(OTHER) == 0
    assert health.reason(M) == "provider_auth_failed"


@pytest.mark.parametrize("error", [UpstreamBadRequest("x"), UpstreamContextTooLong("x"), UpstreamRefused("x")])
def test_the_callers_own_fault_cools_nobody(health: Health, error: UpstreamError) -> None:
    health.failed(M, error)
    assert health.cooling(M) == 0


def test_one_model_does_not_cool_another(health: Health) -> None:
    health.failed(M, UpstreamError("x"))
    assert health.cooling(OTHER) == 0
    assert list(health.cooling_models()) == ["m"]


def test_when_its_time_is_up_one_request_tries_and_the_others_stay_away(health: Health, clock: Clock) -> None:
    health.failed(M, UpstreamError("x"))
    clock.now += health.cooling(M)
    assert health.cooling(M) == 0
    health.began(M)
    assert health.cooling(M) == HALF_OPEN_SECONDS
    health.ended(M)
    assert health.cooling(M) == 0
    health.began(M)
    health.ended(M)
    health.succeeded(M)
    health.began(M)
    assert health.cooling(M) == 0


def test_a_slow_answer_counts_at_once_and_fades_with_time(health: Health, clock: Clock) -> None:
    health.answered_after(M, 0.1, stream=True)
    health.answered_after(M, 5.0, stream=True)
    assert health.rank(M) == (False, 5.0)
    for _ in range(30):
        clock.now += 1
        health.answered_after(M, 0.1, stream=True)
    assert health.rank(M)[1] < 1.0


def test_the_busier_of_equals_is_taken_for_the_slower(health: Health) -> None:
    for one in (M, OTHER):
        health.answered_after(one, 1.0, stream=False)
    health.began(M)
    assert health.rank(M) > health.rank(OTHER)
    health.ended(M)
    assert health.rank(M) == health.rank(OTHER)


def test_who_was_in_trouble_lately_comes_after_who_was_not(health: Health, clock: Clock) -> None:
    health.failed(M, UpstreamError("x"))
    assert health.rank(M) > health.rank(OTHER)
    clock.now += 3600
    assert health.rank(M) == health.rank(OTHER)


def test_what_is_slow_is_known_only_from_enough_answers_of_the_same_kind(health: Health) -> None:
    for number in range(100):
        health.answered_after(M, 9.0 if number % 10 == 0 else 0.1, stream=True)
    assert health.slow_after(M, stream=True) == 9.0
    assert health.slow_after(M, stream=False) is None
    assert health.slow_after(OTHER, stream=True) is None


def test_who_is_barred_stays_so_whatever_was_still_under_way(health: Health, clock: Clock) -> None:
    health.bar(M, 0, "bills_in_free_layer")
    health.succeeded(M)
    assert health.barred(M)
    assert not health.barred(M, 1)
    assert (health.cooling(M), health.reason(M)) == (BARRED_SECONDS, "bills_in_free_layer")
    clock.now += BARRED_SECONDS
    assert not health.barred(M)
    assert health.cooling(M) == 0
    health.succeeded(M)
    assert health.cooling_models() == {}


def test_the_keys_that_rest_are_told_by_number_with_time_and_reason(health: Health, clock: Clock) -> None:
    health.failed(M, UpstreamThrottled("slow down", retry_after=30), 0)
    health.failed(model("far", "elsewhere"), UpstreamAuthFailed("no"), 0)
    health.failed(M, UpstreamAuthFailed("no"), 2)
    assert list(health.resting_keys("elsewhere")) == [0]
    resting = health.resting_keys("openai")
    assert {number: code for number, (_, code) in resting.items()}[2] == "provider_auth_failed"
    seconds, _ = resting[2]
    clock.now += seconds + 1
    assert 2 not in health.resting_keys("openai")
