"""The webhook: tried again while that may help, bounded, and silent about its address."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.domain.alerts import Alert
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from shared.usage import webhook as webhook_module
from shared.usage.webhook import TRIES, Webhook
from tests.support.logs import logged_by
from tests.support.webhook_receiver import HANG, receiver

ALERT = Alert(
    at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    kind="cost_threshold_reached",
    message="The spend has reached $1.50.",
    spent_usd=Decimal("1.5"),
    threshold_usd=Decimal("1.25"),
)
OK = "200 OK"
QUICK = Timeouts(connect=1, first_token=0.1, stall=0.1, total=0.1)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.aclose()


class Sleep:
    """Takes no time, but notes how long it should have been."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


async def test_an_alert_is_a_message_for_people_and_facts_for_programs(client: HttpClient) -> None:
    async with receiver(OK) as taker:
        with logged_by(webhook_module) as logs:
            await Webhook(taker.url(), client).deliver("2026-03-04", ALERT)
    assert logs == []
    (sent,) = taker.received
    assert sent.pop("head").startswith("POST /services/T0KEN HTTP/1.1\r\n")
    assert sent == {
        "text": "The spend has reached $1.50.",
        "event": "cost_threshold_reached",
        "spentUsd": 1.5,
        "thresholdUsd": 1.25,
        "period": "2026-03-04",
        "at": "2026-03-04T05:06:07.000Z",
    }


@pytest.mark.parametrize("trouble", ["500 Oh", "503 Busy", "429 Slow down", "408 Late"])
async def test_it_is_tried_again_until_it_is_taken(client: HttpClient, trouble: str) -> None:
    sleep = Sleep()
    async with receiver(trouble, trouble, "204 Fine") as taker:
        with logged_by(webhook_module) as logs:
            await Webhook(taker.url(), client, sleep=sleep).deliver("d", ALERT)
    assert (len(taker.received), logs) == (3, [])
    first, second = sleep.waits
    assert 0.5 <= first <= 1 <= second <= 2


async def test_a_wish_to_be_left_alone_is_respected_within_reason(client: HttpClient) -> None:
    sleep = Sleep()
    slow, slower = "429 Slow\r\nRetry-After: 7", "429 Slow\r\nRetry-After: 86400"
    async with receiver(slow, slower, OK) as taker:
        await Webhook(taker.url(), client, sleep=sleep).deliver("d", ALERT)
    assert sleep.waits == [7, webhook_module.LONGEST_WAIT]


async def test_tries_end_and_the_log_names_the_host_alone(client: HttpClient) -> None:
    sleep = Sleep()
    async with receiver("500 Oh") as taker:
        with logged_by(webhook_module) as logs:
            await Webhook(taker.url(), client, sleep=sleep).deliver("d", ALERT)
    assert (len(taker.received), len(sleep.waits)) == (TRIES, TRIES - 1)
    (line,) = logs
    assert (line["log_level"], line["host"], line["reason"], line["tries"]) == ("error", "127.0.0.1", "HTTP 500", TRIES)
    assert "T0KEN" not in str(logs)


@pytest.mark.parametrize("status", ["400 No", "404 Gone", "302 Found"])
async def test_what_would_be_refused_again_is_not_tried_again(client: HttpClient, status: str) -> None:
    async with receiver(OK) as elsewhere:
        async with receiver(f"{status}\r\nLocation: {elsewhere.url('/stolen')}") as taker:
            with logged_by(webhook_module) as logs:
                await Webhook(taker.url(), client).deliver("d", ALERT)
        assert len(taker.received) == 1
        assert elsewhere.received == [], "a redirect is not followed"
    assert [line["reason"] for line in logs] == [f"HTTP {status[:3]}"]


async def test_nobody_there_ends_in_one_line(client: HttpClient) -> None:
    async with receiver(OK) as taker:
        url = taker.url()
    sleep = Sleep()
    with logged_by(webhook_module) as logs:
        await Webhook(url, client, sleep=sleep).deliver("d", ALERT)
    assert len(sleep.waits) == TRIES - 1
    assert len(logs) == 1
    assert "T0KEN" not in str(logs)


async def test_one_who_never_answers_is_left(client: HttpClient) -> None:
    sleep = Sleep()
    async with receiver(HANG, OK) as taker:
        with logged_by(webhook_module) as logs:
            await Webhook(taker.url(), client, timeouts=QUICK, sleep=sleep).deliver("d", ALERT)
        assert (len(taker.received), logs) == (2, [])


@pytest.mark.parametrize("address", ["http://[T0KEN", "http://host:T0KEN/"])
async def test_an_address_that_is_none_does_not_show_in_the_log(client: HttpClient, address: str) -> None:
    with logged_by(webhook_module) as logs:
        await Webhook(address, client, sleep=Sleep()).deliver("d", ALERT)
    assert len(logs) == 1
    assert "T0KEN" not in str(logs)
