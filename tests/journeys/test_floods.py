"""Thousands of chats: nearly all are answered while providers fail, and nothing in memory grows with them."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.domain.models import Model
from shared.providers.scripted import ScriptedServer
from shared.registry.accounts import AccountChange
from tests.support.asgi_chat import flood
from tests.support.footprint import Footprint, nothing_left, sizes
from tests.support.http_gateway import Surface, surface, without_models

REQUESTS = 3_000
"""Enough that three failures are one in a thousand, and that what grows by one a chat is far above `SLACK`."""
SLACK = 64
AT_ONCE = 64
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
SOCKETS = 2 * 2 * AT_ONCE + 3
"""Both ends of as many connections to two providers as there are requests at once, and those that listen."""

FLAKY = ("scripted-n3-p10-e500", "scripted-n3-p10-rst", "scripted-n3-p10-e429", "scripted-n3-p10-e200")
PER_MINUTE = 9
CHATS = 2_000
"""Names of chats that are kept here, so that these requests fill them more than once."""
BOUNDED = {
    "Affinity._stays": 20_000,
    "Remembered._requests": 10_000,
    "MemoryWindows._windows": 50_000,
    "_Window.slots": 50_000 * PER_MINUTE,
    "_Window.hits": 50_000 * PER_MINUTE,
    "Causes._chats": CHATS,
    "Causes._older": CHATS,
}
"""What may grow with the requests, and how far; their own tests show that they end there."""


async def add(there: Surface, provider: str, name: str, **more: Any) -> Model:
    return await there.gateway.registry.add(
        Model(
            id=f"{provider}/{name}",
            provider=provider,
            api_model_name=name,
            layer="L0",
            price_per_1k_input_tokens="0.001",
            price_per_1k_output_tokens="0.002",
            **more,
        )
    )


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Surface]:
    limits = {
        "budget_usd_per_day": 1_000_000,
        "router_learning": "shadow",
        "rate_limit_per_minute": PER_MINUTE,
    }
    async with surface(tmp_path, **limits) as made:
        await without_models(made)
        made.gateway.audit.causes._size = CHATS
        yield made


@pytest.mark.slow
async def test_with_one_dead_and_one_failing_provider_of_three_999_of_1000_are_answered(there: Surface) -> None:
    accounts = there.gateway.accounts_of_providers
    await accounts.add("dead", AccountChange(base_url="http://127.0.0.1:9/v1", api_key="sk-dead"))
    async with ScriptedServer().listening() as flaky:
        await accounts.add("flaky", AccountChange(base_url=flaky.base_url, api_key="sk-flaky"))
        await add(there, "dead", "scripted")
        for name in FLAKY:
            await add(there, "flaky", name)
        await add(there, "openai", "scripted-n3")

        def footprint() -> Footprint:
            return Footprint.of(there.gateway, there.provider, flaky)

        def bodies(count: int) -> Iterator[tuple[dict[str, Any], str]]:
            return (({**HELLO, "stream": number % 2 == 0}, address(number)) for number in range(count))

        await flood(there.app, bodies(AT_ONCE * 4), at_once=AT_ONCE)
        before, held = replace(footprint(), sockets=SOCKETS), sizes(there.gateway)
        told = await flood(there.app, bodies(REQUESTS), at_once=AT_ONCE)
        await nothing_left(before, footprint)
        await written(there)
        after = sizes(there.gateway)
    failed = Counter(answer.body[:200] for answer in told if not answer.whole)
    rate = 1 - failed.total() / REQUESTS
    assert len(told) == REQUESTS
    assert rate >= 0.999, f"{rate:.2%} of {REQUESTS} were answered; the others were told {failed.most_common(3)}"
    assert flaky.requests > REQUESTS / 100, "the failing one was of use"
    assert there.gateway.ledger.totals.failed > 0
    assert grown(held, after) == {}


@pytest.mark.slow
async def test_nothing_in_memory_grows_with_what_callers_make_up(there: Surface) -> None:
    await add(there, "openai", "scripted-n1")

    def bodies(first: int, count: int) -> Iterator[tuple[dict[str, Any], str]]:
        for number in range(first, first + count):
            own = {
                "user": f"user {number}",
                "service_tier": f"tier {number}",
                "gateway": {"session": f"session {number}", "tags": {f"tag{number}": f"value {number}"}},
            }
            model = f"unknown/{number}" if number % 4 == 0 else "auto"
            yield {**HELLO, **own, "model": model, "stream": number % 2 == 0}, address(number)

    await flood(there.app, bodies(0, 200), at_once=AT_ONCE)
    await written(there)
    before = sizes(there.gateway, there.app)
    told = await flood(there.app, bodies(200, REQUESTS), at_once=AT_ONCE)
    await written(there)
    after = sizes(there.gateway, there.app)
    assert Counter(answer.status for answer in told) == {200: REQUESTS * 3 // 4, 404: REQUESTS // 4}
    assert grown(before, after) == {}
    full = {"Causes._chats"}  # emptied each time that it is full, so it may be as long as before
    assert {name for name in BOUNDED if after[name] > before[name]} | full == BOUNDED.keys(), "it is really watched"


async def written(there: Surface) -> None:
    """Everything queued is in the database."""
    await there.gateway.ledger.flush()
    await there.gateway.decisions.flush()
    await there.gateway.audit.flush()


def address(number: int) -> str:
    """One of its own for each client."""
    return f"10.1.{number // 250}.{number % 250}"


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What has become larger, but for what is bounded and within its bounds."""
    return {
        name: (before.get(name, 0), size)
        for name, size in after.items()
        if size > max(before.get(name, 0) + SLACK, BOUNDED.get(name, 0))
    }
