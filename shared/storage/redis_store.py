"""The connection to Redis or Valkey: scripts in batches, with a breaker for when it is away or slow."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import InvalidInput
from shared.storage.batching import Batcher
from shared.structured import get_logger

log = get_logger(__name__)


STEADY = 5
"""How much longer the pause between two pings is while Redis answers."""


class StoreAway(Exception):
    """Redis does not answer, or not in time; go on without it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest that the server knows it by."""

    source: str
    digest: str

    @classmethod
    def of(cls, source: str) -> "Script":
        """Redis names a script by its SHA-1."""
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class _Call:
    script: Script
    keys: Sequence[str]
    arguments: Sequence[str | int | bytes]


class RedisStore:
    """One Redis. The first failure opens the breaker; only `ping`, which `watch` repeats, closes it again.

    So a request waits for a lost or hanging server once at most, for `timeout` seconds. `outages` counts how often it
    went away, `on_return` is called when it is back.
    """

    def __init__(self, url: str, *, timeout: float = 1.0, retry_seconds: float = 2.0) -> None:
        self.ok = False
        self.outages = 0
        self.on_return: Callable[[], None] = lambda: None
        self._away = False
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._client = _client(url, timeout)
        self._failures = _failures()
        self._batcher: Batcher[_Call, Any] = Batcher(self._send)

    @property
    def away(self) -> bool:
        """Whether it failed to answer, and has not answered since."""
        return self._away

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int | bytes]) -> Any:
        """The script's answer; those of other tasks travel in the same round trip. Raises StoreAway."""
        if self._away:
            raise StoreAway
        return await self._batcher.put(_Call(script, keys, arguments))

    async def ping(self) -> bool:
        """Whether it answers in time; closes or opens the breaker.

        It is asked twice: a process that is busy, as at its start, looks like a server that is slow.
        """
        for last in (False, True):
            try:
                async with asyncio.timeout(self._timeout):
                    await self._client.ping()
            except self._failures as error:
                if last:
                    self._lost(error)
            else:
                was_away = self._away
                self.ok, self._away = True, False
                if was_away:
                    log.info("Redis is back")
                    self.on_return()
                break
        return self.ok

    async def watch(self) -> None:
        """Ping, for ever; less often while it answers, since the first failure of a request shows an outage at once."""
        while True:
            answers = await self.ping()
            await asyncio.sleep(self._retry_seconds * (STEADY if answers else 1))

    async def aclose(self) -> None:
        """Let go of the connections."""
        self.ok, self._away = False, True
        await self._batcher.drained()
        await self._client.aclose()

    async def _send(self, calls: Sequence[_Call]) -> Sequence[Any]:
        if self._away:
            raise StoreAway
        try:
            async with asyncio.timeout(self._timeout):
                answers = await self._round_trip(calls)
        except self._failures as error:
            self._lost(error)
            raise StoreAway from error
        self.ok = True
        return answers

    async def _round_trip(self, calls: Sequence[_Call]) -> Sequence[Any]:
        from redis.exceptions import NoScriptError

        answers = await self._pipelined(calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            for script in {call.script for call in calls}:
                await self._client.script_load(script.source)
            missing = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            for index, answer in zip(missing, await self._pipelined([calls[i] for i in missing]), strict=True):
                answers[index] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _pipelined(self, calls: Sequence[_Call]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers

    def _lost(self, error: Exception) -> None:
        if not self._away:
            self.outages += 1
            log.warning("Redis is away; limits count in this process alone", reason=repr(error))
        self.ok, self._away = False, True


def _failures() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)


def _client(url: str, timeout: float) -> Any:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        # one retry replaces a pooled connection that the server has closed meanwhile
        return Redis.from_url(
            url, protocol=2, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1)
        )
    except ValueError:
        raise InvalidInput("REDIS_URL is not valid; it looks like redis://host:6379/0.") from None
