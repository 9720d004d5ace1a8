"""What a key's chats may come to: the same promises in memory and in a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.routing import Facts
from shared.domain.usage import Usage
from shared.errors import InvalidInput, RateLimited
from shared.security.chat_limits import ChatLimits
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.open_streams import OpenStreams
from shared.storage.redis_store import RedisStore
from tests.support.redis_servers import RedisServer


@pytest.fixture(params=["memory", "redis"])
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[ChatLimits]:
    store = None
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        store = RedisStore(server.url)
        await store.ping()
    made = ChatLimits(Windows(MemoryWindows(), store), OpenStreams(store))
    yield made
    await made.aclose()
    if store is not None:
        assert store.ok
        await store.aclose()


def key(**own: Any) -> Caller:
    return Caller(id="key-1", kind="key", name="k", scopes=frozenset({"chat"}), **own)


def facts(*, max_tokens: int | None = None, stream: bool = False) -> Facts:
    """A chat whose prompt is estimated at 10 tokens at most."""
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return ChatRequest.parse(body if max_tokens is None else {**body, "max_tokens": max_tokens}).facts


PROMPT = facts().prompt_tokens


async def use(limits: ChatLimits, caller: Caller, wanted: Facts, tokens: int) -> None:
    async with limits.admitted(caller, wanted) as counted:
        assert counted.meter is not None
        counted.meter.add(Usage(prompt=PROMPT, completion=tokens - PROMPT))
    await limits.aclose()


async def test_of_many_at_once_exactly_as_many_get_in_as_there_are_tokens_for(limits: ChatLimits) -> None:
    caller, wanted = key(tokens_per_minute=20 * (PROMPT + 90)), facts(max_tokens=90)
    ended = asyncio.Event()

    async def chat() -> bool:
        try:
            async with limits.admitted(caller, wanted):
                await ended.wait()
                return True
        except RateLimited:
            return False

    chats = [asyncio.create_task(chat()) for _ in range(100)]
    refused = 0
    async with asyncio.timeout(5):
        for done in asyncio.as_completed(chats):
            refused += not await done
            if refused == 80:
                ended.set()
    assert [await one for one in chats].count(True) == 20


async def test_what_was_not_used_is_there_for_the_next(limits: ChatLimits) -> None:
    caller = key(tokens_per_minute=100)
    for _ in range(5):
        await use(limits, caller, facts(max_tokens=100 - PROMPT - 50), tokens=10)
    with pytest.raises(RateLimited):
        await use(limits, caller, facts(max_tokens=51), tokens=1)


async def test_what_was_used_beyond_the_estimate_counts_too(limits: ChatLimits) -> None:
    caller = key(tokens_per_minute=100)
    await use(limits, caller, facts(max_tokens=1), tokens=500)
    with pytest.raises(RateLimited) as caught:
        await use(limits, caller, facts(max_tokens=1), tokens=1)
    assert caught.value.code == "tokens_exceeded"
    assert 50 <= (caught.value.retry_after or 0) <= 61


async def test_a_chat_that_fails_or_is_left_uses_only_what_it_used(limits: ChatLimits) -> None:
    caller, entered = key(tokens_per_minute=100, max_streams=1), asyncio.Event()

    async def chat() -> None:
        async with limits.admitted(caller, facts(max_tokens=80, stream=True)):
            entered.set()
            await asyncio.get_running_loop().create_future()

    left = asyncio.create_task(chat())
    await entered.wait()
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await limits.aclose()
    with pytest.raises(ZeroDivisionError):
        async with limits.admitted(caller, facts(max_tokens=80, stream=True)):
            raise ZeroDivisionError
    await limits.aclose()
    await use(limits, caller, facts(max_tokens=80, stream=True), tokens=90)


async def test_a_chat_that_can_never_get_in_is_told_so(limits: ChatLimits) -> None:
    with pytest.raises(InvalidInput, match="100 a minute"):
        await use(limits, key(tokens_per_minute=100), facts(max_tokens=1000), tokens=1)


async def test_only_streams_count_as_streams_and_a_refused_one_takes_no_tokens(limits: ChatLimits) -> None:
    caller = key(tokens_per_minute=100, max_streams=1)
    async with limits.admitted(caller, facts(max_tokens=1, stream=True)):
        for _ in range(20):
            with pytest.raises(RateLimited) as caught:
                async with limits.admitted(caller, facts(max_tokens=40, stream=True)):
                    pass
            assert caught.value.code == "too_many_streams"
        await limits.aclose()
        await use(limits, caller, facts(max_tokens=40), tokens=10)


async def test_the_meter_says_where_the_limit_stands(limits: ChatLimits) -> None:
    async with limits.admitted(key(tokens_per_minute=1000), facts(max_tokens=100)) as counted:
        assert counted.meter is not None
        assert counted.meter.standing is not None
        assert counted.meter.standing.limit == 1000
        assert counted.meter.standing.remaining == 1000 - 100 - PROMPT


async def test_callers_without_such_limits_are_not_counted(limits: ChatLimits) -> None:
    caller = key()
    async with limits.admitted(caller, facts(stream=True)) as counted:
        assert counted is caller
