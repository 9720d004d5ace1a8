"""`mcp-gateway keys`: the gateway's API keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Make, list and delete API keys for this gateway.", no_args_is_help=True)
    app.command()(create)
    app.command(name="list")(list_keys)
    app.command()(delete)
    return app


def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="chat, models:read, models:write, terminal or admin; repeatable. Default: chat, models:read."
        ),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.01, max=36_500, help="Days until it expires.")] = None,
    per_hour: Annotated[int | None, typer.Option(min=0, help="Its own rate limit; 0 is none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once and never again."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import CREATE_KEY

    payload: dict[str, object] = {"name": name, "rateLimitPerHour": per_hour}
    if scope:
        payload["scopes"] = scope
    if days is not None:
        payload["expiresAt"] = datetime.now(UTC) + timedelta(days=days)
    made = call(CREATE_KEY, payload)
    if as_json:
        print_json(made)
    else:
        print(made.secret)


def list_keys(as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import LIST_KEYS

    found = call(LIST_KEYS, {})
    if as_json:
        print_json(found)
        return
    rows = [
        (key.id, key.name, key.prefix + "…", " ".join(key.scopes), _day(key.expires_at), _day(key.last_used_at))
        for key in found.keys
    ]
    print_table(("id", "name", "begins", "scopes", "expires", "last used"), rows)


def delete(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")], as_json: AsJson = False
) -> None:
    """Delete a key; it stops working at once."""
    from mcp_gateway.commands.opening import call
    from shared.operations.keys import DELETE_KEY

    gone = call(DELETE_KEY, {"keyId": key_id})
    if as_json:
        print_json(gone)
    else:
        print(f"{gone.key_id} is deleted.")


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
