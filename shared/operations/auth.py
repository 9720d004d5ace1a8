"""Logging in and out."""

from typing import TYPE_CHECKING

from shared.domain.accounts import AuthStatus, Credentials, LoggedOut, Login, TokenStatus, TokenText, User
from shared.domain.identity import Caller
from shared.domain.wire import NoInput
from shared.errors import Unauthenticated
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


async def _login(gateway: "Gateway", caller: Caller, request: Credentials) -> Login:
    return await gateway.accounts.login(request.username, request.password, caller.address)


async def _status(gateway: "Gateway", caller: Caller, _: NoInput) -> AuthStatus:
    if caller.kind == "anonymous":
        raise Unauthenticated()
    return AuthStatus(
        auth_mode=gateway.settings.auth_mode,
        authenticated=caller.kind != "local",
        kind=caller.kind,
        name=caller.name,
        scopes=sorted(caller.scopes),
        user=_user(caller),
    )


async def _verify(gateway: "Gateway", _: Caller, request: TokenText) -> TokenStatus:
    try:
        holder = gateway.accounts.authenticate(request.token)
    except Unauthenticated:
        return TokenStatus(valid=False)
    return TokenStatus(valid=True, user=_user(holder))


async def _logout(gateway: "Gateway", caller: Caller, _: NoInput) -> LoggedOut:
    if caller.kind == "anonymous":
        raise Unauthenticated("Send the login token that should be logged out, as 'Authorization: Bearer <token>'.")
    await gateway.accounts.logout(caller)
    return LoggedOut()


def _user(caller: Caller) -> User | None:
    return None if caller.role is None else User(id=caller.id, username=caller.name, role=caller.role)


LOGIN = Operation(
    name="login",
    summary="Log in with a username and a password; the answer holds a bearer token.",
    scope=None,
    effect="write",
    request=Credentials,
    result=Login,
    run=_login,
    audit=lambda request: {"username": request.username},
)

AUTH_STATUS = Operation(
    name="auth_status",
    summary="How callers authenticate here, and as whom this one did.",
    scope=None,
    effect="read",
    request=NoInput,
    result=AuthStatus,
    run=_status,
)

VERIFY_TOKEN = Operation(
    name="verify_token",
    summary="Whether a login token still counts, and whose it is.",
    scope=None,
    effect="read",
    request=TokenText,
    result=TokenStatus,
    run=_verify,
)

LOGOUT = Operation(
    name="logout",
    summary="Revoke the login token that this request came with.",
    scope=None,
    effect="destroy",
    request=NoInput,
    result=LoggedOut,
    run=_logout,
    audit=lambda _: {},
)
