"""The one place where failures become answers."""

import asyncio
from collections import Counter
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import exchange_of
from http_api.errors import ClientGone, from_status, internal_error
from http_api.responses import send_error
from shared.errors import GatewayError, RateLimited, Unavailable
from shared.structured import get_logger


class Boundary:
    """Answers every failure of what is inside it. Only what a caller may know is sent; the log gets the rest.

    `stopping` says that the server is going down: a request that is cancelled then is told so, and ends.
    `limits_reached` counts refusals by a limit.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        stopping: Callable[[], bool] = lambda: False,
        limits_reached: Counter[str] | None = None,
    ) -> None:
        self._app = app
        self._limits_reached = Counter() if limits_reached is None else limits_reached
        self._stopping = stopping
        self._log = get_logger("http_api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except GatewayError as error:
            await self._answer(scope, send, error)
        except HTTPException as error:
            await self._answer(scope, send, from_status(error.status_code, error.headers))
        except (ClientGone, ClientDisconnect):
            pass
        except asyncio.CancelledError:
            if not self._stopping():
                raise
            await self._stop(scope, send)
        except Exception:  # noqa: BLE001 - the boundary: a bug must become an answer without internals
            self._log.exception("request failed", request_id=exchange_of(scope).request_id)
            await self._answer(scope, send, internal_error())

    async def _stop(self, scope: Scope, send: Send) -> None:
        exchange = exchange_of(scope)
        if exchange.ended:
            return
        if exchange.status and exchange.route is None and scope["type"] == "http":
            await send({"type": "http.response.body", "body": b""})
            return
        await self._answer(scope, send, Unavailable("The gateway is shutting down; try again.", retry_after=1))

    async def _answer(self, scope: Scope, send: Send, error: GatewayError) -> None:
        exchange = exchange_of(scope)
        if isinstance(error, RateLimited):
            self._limits_reached[error.code] += 1
        if error.operator_detail:
            self._log.warning(
                "request refused", code=error.code, detail=error.operator_detail, request_id=exchange.request_id
            )
        if not exchange.status:
            await send_error(scope, send, error)
        elif exchange.failure_event is not None:
            await send({"type": "http.response.body", "body": exchange.failure_event(error)})
        # Anything else that has begun is left unfinished: the server then closes the connection, which says it.
