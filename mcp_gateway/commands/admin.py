"""`mcp-gateway admin`: what only the operator of this machine may do."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json
from shared.domain.identity import LOCAL
from shared.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from shared.gateway import Gateway


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Manage the administrator's login.", no_args_is_help=True)
    app.command()(set_password)
    app.callback()(_group)
    return app


def set_password(
    username: Annotated[str | None, typer.Option(help="Whose; default: ADMIN_USERNAME.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set the administrator's password; every login until now ends.

    It is asked for on a terminal, and read from stdin otherwise.
    """
    from mcp_gateway.commands.opening import with_gateway

    password = _given()

    async def work(gateway: "Gateway") -> str:
        name = username or gateway.settings.admin_username
        await _set(gateway, name, password)
        await gateway.audit.record(LOCAL, "set_password", {"username": name}, "ok")
        if gateway.settings.admin_password.get_secret_value() and name == gateway.settings.admin_username:
            print("warning: ADMIN_PASSWORD is set, and counts again at the next start.", file=sys.stderr)
        return name

    name = with_gateway(work)
    if as_json:
        print_json({"success": True, "username": name})
    else:
        print(f"The password of '{name}' is set; earlier logins have ended.")


async def _set(gateway: "Gateway", name: str, password: str) -> None:
    """Set the password of a user; the administrator need not be there yet, since the first `serve` makes it."""
    try:
        await gateway.accounts.set_password(name, password)
    except NotFound:
        if name != gateway.settings.admin_username:
            raise
        await gateway.accounts.ensure_admin(name, password)


def _given() -> str:
    """The password, good enough for a gateway that others can reach, whatever AUTH_MODE is now."""
    from shared.security.passwords import Passwords

    if sys.stdin is not None and sys.stdin.isatty():
        password = str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
    if not password:
        raise InvalidInput("No password was given: type it, or write it to stdin.", code="weak_password")
    Passwords(refuse_defaults=True).check(password)
    return password


def _group() -> None:
    """Keeps `set-password` a command of the group, although it is the only one."""
