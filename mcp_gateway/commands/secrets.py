"""`mcp-gateway secrets`: the key that provider keys and connection secrets are stored under."""

from typing import TYPE_CHECKING

import typer

from mcp_gateway.commands.output import AsJson, print_json
from shared.domain.identity import LOCAL

if TYPE_CHECKING:
    from shared.gateway import Gateway


def group() -> typer.Typer:
    """The commands of the group."""
    app = typer.Typer(help="Change the key that stored secrets are encrypted with.", no_args_is_help=True)
    app.command()(rotate)
    app.command()(new_key)
    return app


def rotate(as_json: AsJson = False) -> None:
    """Make a new key, put every stored secret under it, and let the old one go.

    Running gateways of this machine go on with the new key by themselves.
    """
    from mcp_gateway.commands.opening import with_gateway

    async def work(gateway: "Gateway") -> int:
        await gateway.audit.require()
        count = await gateway.secrets.rotate(gateway.database)
        await gateway.audit.record(LOCAL, "rotate_secrets", {"secrets": count}, "ok")
        return count

    count = with_gateway(work)
    if as_json:
        print_json({"success": True, "secrets": count})
    else:
        print(
            f"The key is new, and {count} stored secret{'' if count == 1 else 's'} with it; the old one opens nothing."
        )


def new_key(as_json: AsJson = False) -> None:
    """Print a new key, for SECRETS_KEY."""
    from shared.security.secrets_box import new_key as made

    if as_json:
        print_json({"key": made()})
    else:
        print(made())
