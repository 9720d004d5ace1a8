"""How often a client may call; every answer of a limited route says where it stands."""

from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from shared.errors import RateLimited
from shared.security.rate_limits import LimitState, RateLimits

COUNTED_METHODS = frozenset({None, "POST"})
"""Of mounted applications: their POST requests and WebSocket handshakes, not their event streams or pages."""

Throttle = Callable[[ASGIApp, RateLimited], ASGIApp]
"""Makes, of what answers requests, what answers one over the limit; it raises the error for what it has no form for."""


class RateLimiting:
    """Counts a request for its address and, where its credentials were good, for the identity behind them.

    `throttle` answers for mounted applications, whose clients read another form of errors; `reached` counts those answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: RateLimits,
        *,
        throttle: Throttle | None = None,
        reached: Counter[str] | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._throttle = throttle
        self._reached = Counter() if reached is None else reached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        app = self._app
        if _counts(scope, exchange):
            caller = exchange.caller
            known = caller.kind in ("user", "key") or bool(caller.restricted)
            state = await self._limits.check(
                exchange.address,
                caller.id if known else None,
                caller.rate_limit_per_hour,
                caller.rate_limit_per_minute,
                guest=bool(caller.restricted),
            )
            _note(exchange, state)
            if not state.allowed:
                error = _refusal(state)
                if self._throttle is None or exchange.route or exchange.refusal or scope["type"] != "http":
                    raise error
                self._reached[error.code] += 1
                app = self._throttle(app, error)
        if exchange.refusal is not None:
            raise exchange.refusal
        await app(scope, receive, send)


def _counts(scope: Scope, exchange: Exchange) -> bool:
    """Of what is mounted, the user of this machine is not counted: all their programs share one address."""
    if exchange.route is not None:
        return exchange.route.limited
    method = scope.get("method")
    return method in COUNTED_METHODS and not (method and _is_own_user(exchange))


def _is_own_user(exchange: Exchange) -> bool:
    caller = exchange.caller
    return caller.kind == "local" and not caller.restricted and _is_loopback(exchange.address)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _refusal(state: LimitState) -> RateLimited:
    return RateLimited(
        f"Too many requests: at most {state.limit} are allowed {state.rule}. Wait {state.retry_after} s and try again.",
        details={"limit": state.limit, "resetAt": state.reset_epoch},
        retry_after=state.retry_after,
    )


def _note(exchange: Exchange, state: LimitState) -> None:
    if state.limit:
        exchange.added += (
            (b"x-ratelimit-limit", b"%d" % state.limit),
            (b"x-ratelimit-remaining", b"%d" % state.remaining),
            (b"x-ratelimit-reset", b"%d" % state.reset_epoch),
        )
