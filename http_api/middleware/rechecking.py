"""What is being answered ends when the credentials that asked for it no longer count."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.errors import Unauthenticated
from shared.security.tokens import bad_credentials

WITH_CREDENTIALS = frozenset({"key", "user"})
"""The kinds of callers whose credentials may end while they are answered."""


class Rechecking:
    """Knows what is being answered for keys and logins, and ends what is answered for those that are void.

    Calls, streams and commands may take minutes. Whoever owns this has it look now and then, at everything at once: a
    request costs a note of it and no timer.
    """

    def __init__(self) -> None:
        self._running: set[_Running] = set()

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the request answered, for as long as its credentials count. Raises Unauthenticated."""
        exchange, task = exchange_of(scope), asyncio.current_task()
        if task is None:
            raise RuntimeError("a request can only be watched from a task")
        running, before = _Running(exchange, task), task.cancelling()
        self._running.add(running)
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not running.revoked or task.uncancel() > before:
                raise
            await _end(exchange, send)
        finally:
            self._running.discard(running)

    def look(self) -> None:
        """Once, at each of the credentials in use."""
        count: dict[tuple[str, str | None], bool] = {}
        for running in self._running:
            caller = running.exchange.caller
            credentials = (caller.id, caller.token_id)
            if credentials not in count:
                count[credentials] = _count(running.exchange)
            if not count[credentials]:
                running.end()


class _Running:
    """A request that is being answered, and the task that does it."""

    __slots__ = ("_task", "exchange", "revoked")

    def __init__(self, exchange: Exchange, task: "asyncio.Task[Any]") -> None:
        self.exchange = exchange
        self.revoked = False
        self._task = task

    def end(self) -> None:
        """Cancel it, once: it may need a while to clean up."""
        if not self.revoked:
            self.revoked = True
            self._task.cancel()


def _count(exchange: Exchange) -> bool:
    try:
        exchange.authenticate()
    except Unauthenticated:
        return False
    return True


async def _end(exchange: Exchange, send: Send) -> None:
    """Raises Unauthenticated where there is still a way to say it: before an answer, and in an event stream of ours."""
    if not exchange.status or exchange.route is not None:
        raise bad_credentials()
    if not exchange.ended:
        await send({"type": "http.response.body", "body": b""})
