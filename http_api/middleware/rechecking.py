"""Streams of mounted applications end when the credentials that opened them no longer count."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.errors import Unauthenticated

RECHECK_SECONDS = 2.0


class Rechecking:
    """Looks at the credentials of a request again and again for as long as it is being answered.

    Not of a GET alone: clients of MCP's newer era listen on the answer to a POST, and calls may take minutes.
    """

    def __init__(self, app: ASGIApp, *, seconds: float = RECHECK_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, task = exchange_of(scope), asyncio.current_task()
        if exchange.caller.kind not in ("key", "user") or task is None:
            await self._app(scope, receive, send)
            return
        before = task.cancelling()
        watch = _Watch(exchange, task, self._seconds)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not watch.revoked or task.uncancel() > before:
                raise
            await _end(exchange, send)
        finally:
            watch.end()


class _Watch:
    """Cancels a task once its credentials no longer count. Most requests end before the first look, which a timer begins."""

    def __init__(self, exchange: Exchange, task: "asyncio.Task[Any]", seconds: float) -> None:
        self.revoked = False
        self._exchange = exchange
        self._task = task
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(seconds, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        try:
            self._exchange.authenticate()
        except Unauthenticated:
            self.revoked = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(self._seconds, self._look)


async def _end(exchange: Exchange, send: Send) -> None:
    """Raises Unauthenticated where nothing has been sent yet."""
    if not exchange.status:
        raise Unauthenticated()
    if not exchange.ended:
        await send({"type": "http.response.body", "body": b""})
