"""Who is calling: an API key, a login, or, on a machine of one's own, whoever reaches it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.chat_headers import SESSIONS as SESSION_HEADERS
from http_api.context import Exchange, exchange_of
from shared.domain.identity import ANONYMOUS, LOCAL, Caller
from shared.errors import Forbidden, GatewayError, Unauthenticated
from shared.security.api_keys import is_api_key

Authenticate = Callable[..., Caller]
"""Takes a credential, `address` and `request_id`; raises Unauthenticated."""

BEARER = b"bearer "
BEARER_SUBPROTOCOL = "bearer"
TOOL_CALL = b"x-tool-call-id"
SESSIONS = tuple(name.lower().encode("ascii") for name in SESSION_HEADERS)
LONGEST = 200


class Identity:
    """Notes the caller, and what is to be refused them once the rate limits have counted the request.

    Without `required`, whoever sends no credentials is the local user, and so is whoever sends some that are none of
    ours (OpenAI's SDKs always send a key). Credentials of ours must be good in either mode.
    """

    def __init__(self, app: ASGIApp, *, logins: Authenticate, api_keys: Authenticate, required: bool) -> None:
        self._app = app
        self._logins = logins
        self._api_keys = api_keys
        self._base = ANONYMOUS if required else LOCAL
        self._required = required

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = exchange_of(scope)
        try:
            exchange.authenticate = partial(self._caller, _credential(scope, exchange), *_origin(exchange))
            exchange.caller = _as_said(exchange.authenticate(), exchange)
        except Unauthenticated as error:
            exchange.caller = _at(ANONYMOUS, *_origin(exchange))
            exchange.refusal = error
        route = exchange.route
        if route is not None and route.public:
            exchange.refusal = None
        elif exchange.refusal is None:
            exchange.refusal = self._refusal(exchange)
        return self._app(scope, receive, send)

    def _caller(self, credential: str | None, address: str, request_id: str) -> Caller:
        """Whoever the credential stands for now. Raises Unauthenticated.

        It takes no exchange, which would then hold itself and every request would be left to the garbage collector.
        """
        if credential is None:
            return _at(self._base, address, request_id)
        if is_api_key(credential):
            return self._api_keys(credential, address=address, request_id=request_id)
        if self._required or _is_login_token(credential):
            return self._logins(credential, address=address, request_id=request_id)
        return _at(LOCAL, address, request_id)

    def _refusal(self, exchange: Exchange) -> GatewayError | None:
        caller = exchange.caller
        if caller.kind == "anonymous":
            return Unauthenticated()
        needed = exchange.route.scope if exchange.route else None
        if not caller.may(needed):
            return Forbidden(f"This needs the scope '{needed}', which these credentials do not have.")
        return None


def _credential(scope: Scope, exchange: Exchange) -> str | None:
    """What came as a bearer token, as `X-Api-Key`, or, as browsers can do no better, as a WebSocket subprotocol."""
    authorization = exchange.headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == BEARER:
        return authorization[7:].strip().decode("latin-1")
    api_key = exchange.headers.get(b"x-api-key")
    if api_key is not None:
        return api_key.decode("latin-1")
    offered = scope.get("subprotocols", ())
    if len(offered) == 2 and offered[0] == BEARER_SUBPROTOCOL:
        return str(offered[1])
    return None


def _is_login_token(credential: str) -> bool:
    """Whether it has the form of a JSON Web Token."""
    return credential.startswith("eyJ") and credential.count(".") == 2


def _as_said(caller: Caller, exchange: Exchange) -> Caller:
    """The caller with what the headers say of the tool call and the conversation that the request belongs to."""
    headers = exchange.headers
    call, session = headers.get(TOOL_CALL, b""), next((headers[name] for name in SESSIONS if name in headers), b"")
    if not call and not session:
        return caller
    return replace(caller, tool_call_id=_text(call), session=_text(session))


def _text(header: bytes) -> str:
    return header.decode("latin-1")[:LONGEST]


def _origin(exchange: Exchange) -> tuple[str, str]:
    return exchange.address, exchange.request_id


def _at(base: Caller, address: str, request_id: str) -> Caller:
    return Caller(
        id=base.id,
        kind=base.kind,
        name=base.name,
        scopes=base.scopes,
        address=address,
        request_id=request_id,
    )
