"""`mcp-gateway install` and `uninstall`: the gateway's tools and models in the configuration of clients."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mcp_gateway.commands.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from mcp_gateway.installing.clients import Client, Server
    from mcp_gateway.installing.endpoint import Endpoint
    from mcp_gateway.installing.entry import Entry
    from mcp_gateway.installing.steps import Change

NAME = "ai-mcp-gateway"
NAMES = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""Clients put it before the names of tools, and drop what gets longer than 60 characters."""

ClientArgument = Annotated[
    str,
    typer.Argument(
        metavar="CLIENT",
        help="claude-desktop, claude-code, vscode, cursor, zed, opencode, cline, continue, codex, qwen-code, goose, aider or llm.",
    ),
]
Name = Annotated[str, typer.Option(help="What the client calls the server.")]
InScope = Annotated[
    Literal["user", "project"],
    typer.Option(help="user: for you, everywhere; project: in this folder's own configuration."),
]
Half = Annotated[
    Literal["tools", "models"] | None,
    typer.Option(help="tools: the MCP server only; models: the address of the models only; default: both."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]


def install(
    client: ClientArgument = "",
    name: Name = NAME,
    scope: InScope = "user",
    only: Half = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Let it bridge to the gateway that `mcp-gateway serve` runs.")
    ] = False,
    url: Annotated[
        str, typer.Option(help="Where that gateway is; default: API_HOST and API_PORT as they are here.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take out what this puts in, as `uninstall` does.")] = False,
    dry_run: DryRun = False,
    only_print: Annotated[bool, typer.Option("--print", help="Print what to paste, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the gateway into a client's configuration: its tools, and its models where the client takes an address for them;
    without a name, list the clients that are here.

    The files keep their other entries, their comments and their mode, and a copy of each is left beside it. With AUTH_MODE=required the key for the models comes from MCP_GATEWAY_TOKEN.
    """
    from mcp_gateway.installing import steps
    from mcp_gateway.installing.server import address, endpoint, server
    from shared.errors import InvalidInput

    if not client:
        _list(as_json)
        return
    if undo:
        uninstall(client, name, scope, only, dry_run, as_json)
        return
    found = _client(client)
    _check(name)
    wanted = server(address(url, directory=Path.cwd()) if connect or url else None)
    models = endpoint(url, directory=Path.cwd())
    entries = _entries(found, scope, name, only, wanted, models)
    if only_print:
        _print(entries)
        return
    try:
        changes = steps.installing(entries)
    except InvalidInput:
        print("This is what belongs into it:", file=sys.stderr)
        print("\n".join(steps.snippets(entries).values()), file=sys.stderr)
        raise
    if as_json:
        done = _done(changes, found, name, dry_run=dry_run)
        print_json({**done, "command": [wanted.command, *wanted.args], "next": found.after})
    elif all(change.is_none for change in changes):
        print(f"{' and '.join(str(change.path) for change in changes)} has it already; nothing was changed.")
    elif dry_run:
        _show(changes)
    else:
        _made(changes, "now has the gateway")
        _explain(entries, wanted, models, found, scope)


def uninstall(
    client: ClientArgument,
    name: Name = NAME,
    scope: InScope = "user",
    only: Half = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take the gateway out of a client's configuration; everything else in it stays."""
    from mcp_gateway.installing import steps
    from mcp_gateway.installing.endpoint import LOCAL_KEY, Endpoint
    from mcp_gateway.installing.server import server
    from shared.errors import NotFound

    found = _client(client)
    hint = "" if only == "models" else steps.other_name(found, scope, name)
    try:
        changes = steps.uninstalling(_entries(found, scope, name, only, server(None), Endpoint("", LOCAL_KEY)))
    except NotFound as error:
        raise NotFound(f"{error}{hint}") from None
    if as_json:
        print_json(_done(changes, found, name, dry_run=dry_run))
    elif dry_run:
        _show(changes)
    else:
        _made(changes, "no longer has the gateway")
        if hint:
            print(f"  {found.title} still has its tools.{hint}", file=sys.stderr)


def _entries(
    client: "Client",
    scope: Literal["user", "project"],
    name: str,
    only: str | None,
    server: "Server",
    models: "Endpoint",
) -> "tuple[Entry, ...]":
    """What goes into the client's files. Raises InvalidInput where nothing of it can."""
    from mcp_gateway.installing import steps
    from shared.errors import InvalidInput

    found = () if only == "tools" else client.models_at(scope, models)
    if only == "models":
        if not found:
            raise InvalidInput(f"{client.title} takes no address of models from a file of this scope.")
        return found
    if only is None and found and not client.key:
        return found
    return (steps.tools(client, scope, name, server), *found)


def _print(entries: "Sequence[Entry]") -> None:
    from mcp_gateway.installing import steps

    for file, text in steps.snippets(entries).items():
        print(f"For {file}:", file=sys.stderr, flush=True)
        print(text, end="", flush=True)


def _show(changes: "Sequence[Change]") -> None:
    for change in changes:
        if not change.is_none:
            print(change.difference)


def _done(changes: "Sequence[Change]", client: "Client", name: str, *, dry_run: bool) -> dict[str, Any]:
    """The changes as an object, made unless they are only to be shown; `backup` is where a file as it was is kept. The first
    file stands on its own as well.
    """
    made = []
    for change in changes:
        makes = not (dry_run or change.is_none)
        backup = change.make() if makes else None
        made.append(
            {
                "file": str(change.path),
                "changed": makes,
                "difference": change.difference,
                "backup": None if backup is None else str(backup),
            }
        )
    return {"client": client.id, "name": name, **made[0], "files": made}


def _made(changes: "Sequence[Change]", said: str) -> None:
    for change in changes:
        if change.is_none:
            continue
        copy = change.make()
        print(f"{change.path} {said if change.after else 'is deleted: nothing else was in it'}.")
        if copy is not None:
            print(f"  The file as it was: {copy}")


def _explain(entries: "Sequence[Entry]", wanted: "Server", models: "Endpoint", client: "Client", scope: str) -> None:
    """Say what was installed and what to do next."""
    from mcp_gateway.installing import steps
    from mcp_gateway.installing.endpoint import LOCAL_KEY

    tools = [entry for entry in entries if client.key and entry.path[0] == client.key]
    if tools:
        print(f"  Tools: {' '.join((wanted.command, *wanted.args))}")
        _warn(wanted, scope)
    if len(entries) > len(tools):
        key = "" if models.key == LOCAL_KEY else ", with the key in MCP_GATEWAY_TOKEN"
        other = "; --only tools leaves the models alone" if tools else ""
        print(f"  Models: {models.url}{key}. `mcp-gateway serve` must run there{other}.")
    for line in steps.kept(entries):
        print(f"  {line}")
    print(f"  {client.after}")


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
