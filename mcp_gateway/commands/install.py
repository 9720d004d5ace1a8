"""`mcp-gateway install` and `uninstall`: the gateway in the configuration of MCP clients."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from mcp_gateway.installing.clients import Client, Server
    from mcp_gateway.installing.steps import Change

NAME = "ai-mcp-gateway"
NAMES = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""Clients put it before the names of tools, and drop what gets longer than 60 characters."""

ClientArgument = Annotated[
    str, typer.Argument(metavar="CLIENT", help="claude-desktop, claude-code, vscode, cursor or zed.")
]
Name = Annotated[str, typer.Option(help="What the client calls the server.")]
InScope = Annotated[
    Literal["user", "project"],
    typer.Option(help="user: for you, everywhere; project: in this folder's own configuration."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]


def install(
    client: ClientArgument = "",
    name: Name = NAME,
    scope: InScope = "user",
    connect: Annotated[
        bool, typer.Option("--connect", help="Let it bridge to the gateway that `mcp-gateway serve` runs.")
    ] = False,
    url: Annotated[
        str, typer.Option(help="Where that gateway is; default: API_HOST and API_PORT as they are here.")
    ] = "",
    dry_run: DryRun = False,
    only_print: Annotated[bool, typer.Option("--print", help="Print what to paste, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the gateway into an MCP client's configuration; without a name, list the clients that are here.

    The file keeps its other entries, its comments and its mode, and a copy of it is left beside it.
    """
    from mcp_gateway.installing import steps
    from mcp_gateway.installing.server import address, server
    from shared.errors import InvalidInput

    if not client:
        _list(as_json)
        return
    found = _client(client)
    _check(name)
    wanted = server(address(url, directory=Path.cwd()) if connect or url else None)
    if only_print:
        print(f"For {steps.file_of(found, scope)}:", file=sys.stderr, flush=True)
        print(steps.snippet(found, name, wanted))
        return
    try:
        change = steps.installing(found, scope, name, wanted)
    except InvalidInput:
        if found.file(scope):
            print("This is what belongs into it:\n" + steps.snippet(found, name, wanted), file=sys.stderr)
        raise
    if as_json:
        done = _done(change, found, name, dry_run=dry_run)
        print_json({**done, "command": [wanted.command, *wanted.args], "next": found.after})
    elif change.is_none:
        print(f"{change.path} has it already; nothing was changed.")
    elif dry_run:
        print(change.difference)
    else:
        _made(change, f'{change.path} now has "{name}": {" ".join((wanted.command, *wanted.args))}')
        print(f"  {found.after}")
        _warn(wanted, scope)


def uninstall(
    client: ClientArgument,
    name: Name = NAME,
    scope: InScope = "user",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take the gateway out of an MCP client's configuration; everything else in it stays."""
    from mcp_gateway.installing import steps

    found = _client(client)
    change = steps.uninstalling(found, scope, name)
    if as_json:
        print_json(_done(change, found, name, dry_run=dry_run))
    elif dry_run:
        print(change.difference)
    else:
        _made(change, f'{change.path} no longer has "{name}".')


def _done(change: "Change", client: "Client", name: str, *, dry_run: bool) -> dict[str, object]:
    """The change as an object, made unless it is only to be shown; `backup` is where the file as it was is kept."""
    makes = not (dry_run or change.is_none)
    backup = change.make() if makes else None
    return {
        "client": client.id,
        "name": name,
        "file": str(change.path),
        "changed": makes,
        "difference": change.difference,
        "backup": None if backup is None else str(backup),
    }


def _made(change: "Change", said: str) -> None:
    copy = change.make()
    print(said)
    if copy is not None:
        print(f"  The file as it was: {copy}")


def _warn(wanted: "Server", scope: str) -> None:
    if scope == "project":
        print("  The path in it is this machine's: leave the file out of version control.")
    if wanted.env:
        print(f"  {', '.join(wanted.env)} went into it from your environment.")


def _check(name: str) -> None:
    from shared.errors import invalid_field

    if not NAMES.fullmatch(name):
        raise invalid_field("name", "it must be 1 to 40 letters, digits, - or _")


def _all() -> "tuple[Client, ...]":
    from mcp_gateway.installing.clients import clients

    return clients(Path.home(), Path.cwd())


def _client(wanted: str) -> "Client":
    from shared.errors import invalid_field

    known = {client.id: client for client in _all()}
    if wanted not in known:
        raise invalid_field("client", f"it must be one of {', '.join(known)}")
    return known[wanted]


def _list(as_json: bool) -> None:
    from mcp_gateway.installing.steps import installed_as

    rows = [(client, installed_as(client, "user"), installed_as(client, "project")) for client in _all()]
    if as_json:
        found = [
            {"client": client.id, "found": client.is_here, "file": str(client.user), "user": user, "project": project}
            for client, user, project in rows
        ]
        print_json({"clients": found})
        return
    print_table(
        ("client", "here", "installed", "configuration"),
        [
            (client.id, "yes" if client.is_here else "no", _state(user, project), client.user)
            for client, user, project in rows
        ],
    )
    print("\nmcp-gateway install CLIENT puts the gateway into one of them; --dry-run shows first what would change.")


def _state(user: tuple[str, ...], project: tuple[str, ...]) -> str:
    if not user and not project:
        return "no"
    return ", ".join([*user, *(f"{name} (this folder)" for name in project)])
