"""On a machine of one's own: whoever sends no credentials is its user only if the connection is that user's."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Exchange, exchange_of
from http_api.protocol import CONNECTION
from shared.domain.identity import GUEST_SCOPES, Caller
from shared.errors import Forbidden
from shared.security.local_peers import LocalPeers, Whose
from shared.security.socket_tables import Address
from shared.structured import get_logger

log = get_logger(__name__)

LookUp = Callable[[Address, Address], Whose]

KEY = "whose"
REASONS: dict[Whose, str] = {
    "other": "The other end of this connection is another user's of this machine, who may only chat and list models here. "
    "Set LOCAL_USERS=any to let all of its users in, or AUTH_MODE=required and use an API key.",
    "command": "The other end of this connection is a command that this gateway runs, which may only chat and list models here. "
    "Give it an API key, or set LOCAL_USERS=any.",
    "gone": "Nobody is left at the other end of this connection, so that whose it was cannot be told. Keep it open until "
    "the answer has come, or use an API key.",
}


def own_user_only(app: ASGIApp, peers: LocalPeers) -> ASGIApp:
    """The application as only the user of this machine may use it in full, where the system tells who that is."""
    if peers.works():
        return LocalUsers(app, whose=peers.whose)
    if sys.platform == "linux":
        log.warning("connections of other local users cannot be told apart here; AUTH_MODE=required keeps them out")
    return app


class LocalUsers:
    """Takes from others what only the user of this machine may do, and keeps their chats apart from that user's.

    They are looked up once for each connection.
    """

    def __init__(self, app: ASGIApp, *, whose: LookUp) -> None:
        self._app = app
        self._whose = whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        route = exchange.route
        if exchange.caller.kind == "local" and not (route is not None and route.public):
            whose = await self._looked_up(scope)
            if whose in REASONS:
                _restrict(exchange, whose)
        await self._app(scope, receive, send)

    async def _looked_up(self, scope: Scope) -> Whose:
        connection: dict[str, Any] | None = scope.get("state", {}).get(CONNECTION)
        client, server = scope.get("client"), scope.get("server")
        if connection is None:  # nothing came over a socket
            return "own"
        if client is None or server is None:  # a socket file, which is for this gateway's other processes
            return "gone"
        if not ip_address(client[0]).is_loopback:
            return "own"
        if KEY not in connection:
            connection[KEY] = await asyncio.to_thread(self._whose, tuple(client), tuple(server))
        found: Whose = connection[KEY]
        return found


def _restrict(exchange: Exchange, whose: Whose) -> None:
    exchange.caller = _guest(whose, exchange.caller)
    exchange.authenticate = partial(_again, whose, exchange.authenticate)
    scope = exchange.route.scope if exchange.route else None
    if exchange.refusal is None and not exchange.caller.may(scope):
        exchange.refusal = Forbidden(REASONS[whose], code="not_your_gateway")


def _again(whose: Whose, authenticate: Callable[[], Caller]) -> Caller:
    caller = authenticate()
    return _guest(whose, caller) if caller.kind == "local" else caller


def _guest(whose: Whose, caller: Caller) -> Caller:
    return replace(caller, id=f"local-{whose}", name=f"local-{whose}", scopes=GUEST_SCOPES, restricted=REASONS[whose])
