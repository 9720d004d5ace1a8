"""How often a client may call: by address a minute, by key or login an hour or a minute, and failed logins."""

import ipaddress
import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import RateLimited
from shared.security.moving_windows import Limit, Standing, Windows

if TYPE_CHECKING:
    from limits import RateLimitItemPerHour, RateLimitItemPerMinute

ADDRESS, CALLER, LOGIN = "address", "caller", "login"
"""Namespaces of the counters, which live side by side in one store."""

MINUTE = 60
PER_ADDRESS = "a minute from one address (RATE_LIMIT_PER_MINUTE)"
PER_HOUR = "an hour with one key or login (RATE_LIMIT_PER_HOUR)"
OWN_PER_HOUR = "an hour with this API key"
OWN_PER_MINUTE = "a minute with this API key"
GUEST_PER_MINUTE = "a minute for a local guest (LOCAL_GUESTS_PER_MINUTE)"


class LimitState(NamedTuple):
    """The limit that is nearest. `reset_epoch` is when its oldest hit leaves; a `limit` of 0 means that none counts.

    `rule` says in words what it is a limit of.
    """

    limit: int
    remaining: int
    reset_epoch: int
    allowed: bool
    retry_after: int
    rule: str = ""


UNLIMITED = LimitState(limit=0, remaining=0, reset_epoch=0, allowed=True, retry_after=0)


class RateLimits:
    """The limits of every limited route; an amount of 0 switches one off."""

    def __init__(
        self, windows: Windows, *, per_minute: int, per_hour: int, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._windows = windows
        self._wall_clock = wall_clock
        self._per_minute = per_minute
        self._per_hour = per_hour

    @cached_property
    def _address(self) -> "RateLimitItemPerMinute":
        from limits import RateLimitItemPerMinute

        return RateLimitItemPerMinute(self._per_minute, namespace=ADDRESS)

    @cached_property
    def _identity(self) -> "RateLimitItemPerHour":
        from limits import RateLimitItemPerHour

        return RateLimitItemPerHour(self._per_hour, namespace=CALLER)

    async def check(
        self,
        address: str,
        identity: str | None = None,
        per_hour: int | None = None,
        per_minute: int | None = None,
        *,
        guest: bool = False,
    ) -> LimitState:
        """Count one request of a peer address and, when its credentials were good, of the identity behind them.

        `per_hour` and `per_minute` are the identity's own limits. A `guest` shares the address with the user of this machine,
        so that nothing of it counts there. A request that is refused counts nowhere.
        """
        rules: list[str] = []
        limits: list[Limit] = []
        if self._per_minute and not guest:
            rules.append(PER_ADDRESS)
            limits.append(Limit.of(self._address, network(address)))
        own = self._identity if per_hour is None else type(self._identity)(per_hour, namespace=CALLER)
        if identity is not None and own.amount:
            rules.append(PER_HOUR if per_hour is None else OWN_PER_HOUR)
            limits.append(Limit.of(own, identity))
        if identity is not None and per_minute:
            rules.append(GUEST_PER_MINUTE if guest else OWN_PER_MINUTE)
            limits.append(Limit(f"{CALLER}/{identity}/minute", per_minute, MINUTE))
        if not limits:
            return UNLIMITED
        allowed, standings = await self._windows.hit(limits)
        return self._state(allowed, rules, limits, standings)

    def _state(self, allowed: bool, rules: list[str], limits: list[Limit], standings: list[Standing]) -> LimitState:
        rule, nearest, standing = min(
            zip(rules, limits, standings, strict=True),
            key=lambda found: (found[1].amount - found[2].used, -found[2].frees_in),
        )
        return LimitState(
            limit=nearest.amount,
            remaining=max(nearest.amount - standing.used, 0),
            reset_epoch=math.ceil(self._wall_clock() + standing.frees_in),
            allowed=allowed,
            retry_after=0 if allowed else max(math.ceil(standing.frees_in), 1),
            rule=rule,
        )


class LoginAttempts:
    """Failed logins for each address. There is no lasting lock: after a minute the address may try again."""

    def __init__(self, windows: Windows, *, per_minute: int) -> None:
        self._windows = windows
        self._per_minute = per_minute

    @cached_property
    def _item(self) -> "RateLimitItemPerMinute":
        from limits import RateLimitItemPerMinute

        return RateLimitItemPerMinute(self._per_minute, namespace=LOGIN)

    async def begin(self, address: str) -> None:
        """Count an attempt as failed before it is tried, so that many at once can't get past. Raises RateLimited."""
        allowed, (standing,) = await self._windows.hit([self._limit(address)])
        if not allowed:
            raise RateLimited(
                "Too many failed logins from this address; wait a minute and try again.",
                retry_after=max(math.ceil(standing.frees_in), 1),
            )

    async def succeeded(self, address: str) -> None:
        """It was no failure after all."""
        await self._windows.give_back(self._limit(address))

    def _limit(self, address: str) -> Limit:
        return Limit.of(self._item, network(address))


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 host may choose its addresses from."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return address
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
