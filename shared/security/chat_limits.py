"""What an API key's chats may come to: tokens a minute, and streams at once."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from shared.domain.identity import Caller
from shared.domain.routing import Facts
from shared.domain.usage import Meter, TokenStanding
from shared.errors import GatewayError, InvalidInput, RateLimited
from shared.security.moving_windows import UNBOUNDED, Limit, Standing, Windows
from shared.security.open_streams import Lease, OpenStreams

MINUTE = 60
USUAL_ANSWER = 1_000
"""Tokens that are counted for an answer whose length is not limited, until it is there."""


class ChatLimits:
    """Tokens are estimated when a chat is let in, and counted as they were when it has ended, however that came."""

    def __init__(self, windows: Windows, streams: OpenStreams, *, wall_clock: Callable[[], float] = time.time) -> None:
        self.streams = streams
        self._windows = windows
        self._wall_clock = wall_clock
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def admitted(self, caller: Caller, facts: Facts) -> AsyncIterator[Caller]:
        """Let a chat in; inside the block the caller counts what it uses. Raises RateLimited.

        With Redis this is one round trip, and letting go waits for none.
        """
        if not caller.is_counted:
            yield caller
            return
        meter = caller.meter or Meter()
        limit = _limit(caller, facts)
        slot, lease = await self._entered(caller, limit, meter, stream=facts.stream)
        try:
            yield replace(caller, meter=meter)
        finally:
            if lease is not None:
                self.streams.end(lease)
            if limit is not None:
                self._later(self._settle(limit, slot, meter.tokens))

    async def aclose(self) -> None:
        """Wait until everything that has ended is counted."""
        await asyncio.gather(*tuple(self._settling))
        await self.streams.aclose()

    async def _entered(
        self, caller: Caller, limit: Limit | None, meter: Meter, *, stream: bool
    ) -> tuple[int, Lease | None]:
        """Both limits are asked at once; what one of them gave goes back when the other refuses."""
        most = (caller.max_streams or 0) if stream else 0
        counting = asyncio.ensure_future(self._count(limit))
        leasing = asyncio.ensure_future(self._lease(caller.id, most))
        try:
            (free, standing), lease = await asyncio.gather(counting, leasing)
        except BaseException:
            await self._undo(limit, counting, leasing)
            raise
        if limit is not None:
            meter.standing = self._told(limit, standing)
        if free and (lease or not most):
            return standing.slot, lease
        if lease is not None:
            self.streams.end(lease)
        if not free and limit is not None:
            raise _too_many_tokens(limit, standing, meter)
        if limit is not None:
            self._later(self._windows.take_away(limit, standing.slot, limit.cost))
        raise RateLimited(
            f"This API key has {most} streams under way, as many as it may; wait for one to end.",
            details={"limit": most},
            code="too_many_streams",
            retry_after=1,
        )

    async def _count(self, limit: Limit | None) -> tuple[bool, Standing]:
        if limit is None:
            return True, Standing(0, 0)
        free, (standing,) = await self._windows.hit([limit])
        return free, standing

    async def _lease(self, key: str, most: int) -> Lease | None:
        return await self.streams.take(key, most) if most else None

    async def _undo(
        self,
        limit: Limit | None,
        counting: "asyncio.Future[tuple[bool, Standing]]",
        leasing: "asyncio.Future[Lease | None]",
    ) -> None:
        """The client has left meanwhile."""
        counting.cancel()
        leasing.cancel()
        counted, lease = await asyncio.gather(counting, leasing, return_exceptions=True)
        if isinstance(lease, Lease):
            self.streams.end(lease)
        if limit is not None and not isinstance(counted, BaseException) and counted[0]:
            self._later(self._windows.take_away(limit, counted[1].slot, limit.cost))

    async def _settle(self, limit: Limit, slot: int, tokens: int) -> None:
        """Count what the estimate was short of now, as it is known now; take away what it was over from where it is."""
        if tokens > limit.cost:
            await self._windows.hit([limit._replace(amount=UNBOUNDED, cost=tokens - limit.cost)])
        elif tokens < limit.cost:
            await self._windows.take_away(limit, slot, limit.cost - tokens)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def _told(self, limit: Limit, standing: Standing) -> TokenStanding:
        return TokenStanding(
            limit=limit.amount,
            remaining=max(limit.amount - standing.used, 0),
            reset_epoch=math.ceil(self._wall_clock() + standing.frees_in),
        )


def _limit(caller: Caller, facts: Facts) -> Limit | None:
    """The key's limit, and what this chat is estimated to come to."""
    most = caller.tokens_per_minute
    if not most:
        return None
    answer = facts.max_tokens or min(USUAL_ANSWER, most // 10)
    return Limit(f"tokens/{caller.id}", most, MINUTE, facts.prompt_tokens + answer * facts.choices)


def _too_many_tokens(limit: Limit, standing: Standing, meter: Meter) -> GatewayError:
    details = {"limit": limit.amount, "estimated": limit.cost}
    if limit.cost > limit.amount:  # waiting does not help, so clients must not try again
        return InvalidInput(
            f"This chat may come to {limit.cost} tokens, and this API key has {limit.amount} a minute: send less, or ask "
            "for fewer max_tokens.",
            details=details,
            code="more_than_tokens_per_minute",
        )
    wait = max(math.ceil(standing.frees_in), 1)
    return RateLimited(
        f"Too many tokens: this API key has {limit.amount} a minute, and this chat may come to {limit.cost}. Wait "
        f"{wait} s and try again, or ask for fewer max_tokens.",
        details={**details, "resetAt": meter.standing and meter.standing.reset_epoch},
        code="tokens_exceeded",
        retry_after=wait,
    )
