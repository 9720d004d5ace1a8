"""Event streams of mounted applications end when the credentials that opened them no longer count."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.errors import Unauthenticated

RECHECK_SECONDS = 2.0


class Rechecking:
    """Looks at the credentials of a GET again and again for as long as it is being answered."""

    def __init__(self, app: ASGIApp, *, seconds: float = RECHECK_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, task = exchange_of(scope), asyncio.current_task()
        if scope.get("method") != "GET" or exchange.caller.kind not in ("key", "user") or task is None:
            await self._app(scope, receive, send)
            return
        before = task.cancelling()
        watch = asyncio.create_task(self._until_revoked(exchange, task))
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not watch.done() or task.uncancel() > before:
                raise
            await _end(exchange, send)
        finally:
            watch.cancel()

    async def _until_revoked(self, exchange: Exchange, task: "asyncio.Task[Any]") -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                exchange.authenticate()
            except Unauthenticated:
                task.cancel()
                return


async def _end(exchange: Exchange, send: Send) -> None:
    """Raises Unauthenticated where nothing has been sent yet."""
    if not exchange.status:
        raise Unauthenticated()
    if not exchange.ended:
        await send({"type": "http.response.body", "body": b""})
