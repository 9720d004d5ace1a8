"""`mcp-gateway stdio`: the MCP server for Claude Desktop and IDEs."""

import sys
from typing import Annotated

import typer

from mcp_gateway import launch


def stdio(
    connect: Annotated[
        str | None,
        typer.Option(
            metavar="[URL]",
            help="Bridge to the gateway that runs there instead of opening one; without a URL, to the one at API_PORT. "
            "A key goes in MCP_GATEWAY_TOKEN.",
        ),
    ] = None,
    sidecar: Annotated[bool, typer.Option("--sidecar", help="Serve HTTP from this process too.")] = False,
) -> None:
    """Serve MCP on stdin and stdout, for Claude Desktop, IDEs and other clients that start it themselves."""
    if connect is not None and connect.startswith("-"):  # what follows has no need of a value
        raise typer.BadParameter(f"No such option: {connect}")
    sys.exit(launch.run(launch.Options(connect=connect, sidecar=sidecar)))
