"""`mcp-gateway admin`: what only the operator of this machine may do."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table
from shared.domain.identity import LOCAL, ROLE_SCOPES
from shared.errors import Conflict, InvalidInput, NotFound, invalid_field
from shared.terminal.visible import visible

LONGEST_NAME = 100

if TYPE_CHECKING:
    from shared.domain.accounts import User
    from shared.gateway import Gateway


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Manage who can log in.", no_args_is_help=True)
    app.command()(set_password)
    app.command()(add_user)
    app.command()(users)
    app.command()(remove_user)
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


def add_user(
    username: Annotated[str, typer.Argument(help="What the user logs in as.")],
    role: Annotated[
        str,
        typer.Option(
            help="admin may do everything; viewer only looks: at models, layers, providers, configuration, usage, budgets."
        ),
    ] = "viewer",
    as_json: AsJson = False,
) -> None:
    """Add somebody who can log in. The password is asked for on a terminal, and read from stdin otherwise."""
    from mcp_gateway.commands.opening import with_gateway

    if role not in ROLE_SCOPES:
        raise typer.BadParameter(f"--role must be {' or '.join(ROLE_SCOPES)}")
    password = _given()

    async def work(gateway: "Gateway") -> "User":
        await gateway.audit.require()
        user = await gateway.accounts.add(_name(username), role, password)
        await gateway.audit.record(LOCAL, "add_user", {"username": username, "role": role}, "ok")
        return user

    user = with_gateway(work)
    if as_json:
        print_json(user)
    else:
        print(f"'{visible(user.username)}' can log in, as {user.role}.")


def users(as_json: AsJson = False) -> None:
    """List who can log in."""
    from mcp_gateway.commands.opening import with_gateway

    async def work(gateway: "Gateway") -> "list[User]":
        return gateway.accounts.users()

    found = with_gateway(work)
    if as_json:
        print_json({"users": [user.model_dump(mode="json") for user in found]})
    else:
        print_table(("username", "role", "id"), [(user.username, user.role, user.id) for user in found])


def remove_user(
    username: Annotated[str, typer.Argument(help="As `admin users` shows it.")], as_json: AsJson = False
) -> None:
    """Take a user away; logins of theirs end at once."""
    from mcp_gateway.commands.opening import with_gateway

    async def work(gateway: "Gateway") -> None:
        if username == gateway.settings.admin_username:
            raise Conflict(
                f"'{username}' is ADMIN_USERNAME, which every start makes anew; name another one there first."
            )
        await gateway.audit.require()
        await gateway.accounts.remove(username)
        await gateway.audit.record(LOCAL, "remove_user", {"username": username}, "ok")

    with_gateway(work)
    if as_json:
        print_json({"success": True, "username": username})
    else:
        print(f"'{visible(username)}' can log in no more.")


def _name(username: str) -> str:
    """Raises InvalidInput for what no login could name."""
    if not (0 < len(username) <= LONGEST_NAME and username.isprintable()):
        raise invalid_field("username", f"it must be 1 to {LONGEST_NAME} printable characters")
    return username


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
