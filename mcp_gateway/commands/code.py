"""`mcp-gateway code`: a coding agent with the gateway's models and tools, without a change to its configuration."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

SECONDS = 5
NOT_FOUND = 404


def code(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="claude, opencode or codex.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENTS", help="What the agent itself gets.", show_default=False)
    ] = None,
    url: Annotated[
        str, typer.Option(help="Where the gateway is; default: API_HOST and API_PORT as they are here.")
    ] = "",
) -> None:
    """Start a coding agent with the models and tools of the gateway that `mcp-gateway serve` runs; nothing is written.

    With AUTH_MODE=required the key comes from MCP_GATEWAY_TOKEN.
    """
    import shutil

    from mcp_gateway.installing.launching import agents
    from mcp_gateway.installing.server import endpoint, server
    from shared.errors import InvalidInput, invalid_field

    known = agents()
    if agent not in known:
        raise invalid_field("agent", f"it must be one of {', '.join(known)}")
    found = known[agent]
    program = shutil.which(found.program)
    if program is None:
        raise InvalidInput(f"{found.program} is not on the PATH. Install it: npm install --global {found.package}")
    models = endpoint(url, directory=Path.cwd())
    _check(models.url, found.path)
    launch = found.launch(models, server(models.url), os.environ)
    _start([program, *launch.arguments, *(arguments or ())], {**os.environ, **launch.environ})


def _check(url: str, path: str) -> None:
    """Raises Unavailable where no gateway answers, Unsupported where it does not have the path."""
    import httpx

    from shared.errors import Unavailable, Unsupported

    try:
        answer = httpx.get(f"{url}{path}", timeout=SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise Unavailable(f"No gateway answers at {url} ({error}). Start it: mcp-gateway serve") from None
    if answer.status_code == NOT_FOUND:
        raise Unsupported(f"The gateway at {url} has no {path}, which this agent needs.")


def _start(command: list[str], environ: Mapping[str, str]) -> None:
    """Become the agent; on Windows, which cannot do that, run it and end with its code."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environ)  # noqa: S606  # nosec B606 - the agent that the user asked for
    import subprocess

    raise typer.Exit(subprocess.run(command, env=environ, check=False).returncode)
