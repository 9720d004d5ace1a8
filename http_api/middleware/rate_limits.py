"""How often a client may call; every answer of a limited route says where it stands."""

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.errors import RateLimited
from shared.security.rate_limits import LimitState, RateLimits

COUNTED_METHODS = frozenset({None, "POST"})
"""Of mounted applications: their POST requests and WebSocket handshakes, not their event streams or pages."""


class RateLimiting:
    """Counts a request for its address and, where its credentials were good, for the identity behind them."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if exchange.route.limited if exchange.route else scope.get("method") in COUNTED_METHODS:
            caller = exchange.caller
            identity = caller.id if caller.kind in ("user", "key") else None
            state = await self._limits.check(
                exchange.address, identity, caller.rate_limit_per_hour, caller.rate_limit_per_minute
            )
            _note(exchange, state)
            if not state.allowed:
                raise RateLimited(
                    f"Too many requests: at most {state.limit} are allowed {state.rule}. "
                    f"Wait {state.retry_after} s and try again.",
                    details={"limit": state.limit, "resetAt": state.reset_epoch},
                    retry_after=state.retry_after,
                )
        if exchange.refusal is not None:
            raise exchange.refusal
        await self._app(scope, receive, send)


def _note(exchange: Exchange, state: LimitState) -> None:
    if state.limit:
        exchange.added += (
            (b"x-ratelimit-limit", b"%d" % state.limit),
            (b"x-ratelimit-remaining", b"%d" % state.remaining),
            (b"x-ratelimit-reset", b"%d" % state.reset_epoch),
        )
