"""In local mode, a caller without credentials is the user of this machine only if the connection is that user's."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from http_api.protocol import CONNECTION
from shared.domain.identity import GUEST_SCOPES, Caller
from shared.domain.models import Layer
from shared.errors import Forbidden
from shared.security.local_peers import OWN, UNKNOWN, LocalPeers, Owner, Whose
from shared.security.socket_tables import Address
from shared.structured import get_logger

log = get_logger(__name__)

LookUp = Callable[[Address, Address], Owner]

KEY = "owner"
REASONS: dict[Whose, str] = {
    "other": "The other end of this connection is another user's of this machine, who may only chat and list models here. "
    "Set LOCAL_USERS=any to let all of its users in, or AUTH_MODE=required and use an API key.",
    "command": "The other end of this connection is a command that this gateway or another one runs, or cannot be told from "
    "one; it may only chat and list models here. Give it an API key, or set LOCAL_USERS=any.",
    "unknown": "This connection comes from this machine, and the kernel does not tell which user's it is. Keep it open until "
    "the answer has come, or use an API key.",
}


@dataclass(frozen=True, slots=True)
class GuestLimits:
    """What local callers other than the user of this machine may use: layers up to this one, requests a minute (0: no limit)."""

    max_layer: Layer
    per_minute: int


def own_user_only(app: ASGIApp, peers: LocalPeers, limits: GuestLimits) -> ASGIApp:
    """The application as only the user of this machine may use it in full, where the system tells who that is."""
    if peers.works():
        return LocalUsers(app, owner_of=peers.owner_of, limits=limits)
    if sys.platform == "linux":
        log.warning("connections of other local users cannot be told apart here; AUTH_MODE=required keeps them out")
    return app


class LocalUsers:
    """Takes from others what only the user of this machine may do, and gives each of them an identity of their own.

    They are looked up once for each connection.
    """

    def __init__(self, app: ASGIApp, *, owner_of: LookUp, limits: GuestLimits) -> None:
        self._app = app
        self._owner_of = owner_of
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        route = exchange.route
        if exchange.caller.kind == "local" and not (route is not None and route.public):
            owner = await self._looked_up(scope)
            if owner.whose in REASONS:
                _restrict(exchange, owner, self._limits)
        await self._app(scope, receive, send)

    async def _looked_up(self, scope: Scope) -> Owner:
        connection: dict[str, Any] | None = scope.get("state", {}).get(CONNECTION)
        client, server = scope.get("client"), scope.get("server")
        if connection is None:  # nothing came over a socket
            return OWN
        if client is None or server is None:  # a socket file, which is for this gateway's other processes
            return UNKNOWN
        if KEY not in connection:
            connection[KEY] = await asyncio.to_thread(self._owner_of, tuple(client), tuple(server))
        found: Owner = connection[KEY]
        return found


def _restrict(exchange: Exchange, owner: Owner, limits: GuestLimits) -> None:
    exchange.caller = _guest(owner, limits, exchange.caller)
    exchange.authenticate = partial(_again, owner, limits, exchange.authenticate)
    scope = exchange.route.scope if exchange.route else None
    if exchange.refusal is None and (owner.whose == "unknown" or not exchange.caller.may(scope)):
        exchange.refusal = Forbidden(REASONS[owner.whose], code="not_your_gateway")


def _again(owner: Owner, limits: GuestLimits, authenticate: Callable[[], Caller]) -> Caller:
    caller = authenticate()
    return _guest(owner, limits, caller) if caller.kind == "local" else caller


def _guest(owner: Owner, limits: GuestLimits, caller: Caller) -> Caller:
    name = f"local-uid-{owner.uid}" if owner.whose == "other" else f"local-{owner.whose}"
    return replace(
        caller,
        id=name,
        name=name,
        scopes=frozenset() if owner.whose == "unknown" else GUEST_SCOPES,
        max_layer=limits.max_layer,
        rate_limit_per_minute=limits.per_minute,
        restricted=REASONS[owner.whose],
    )
