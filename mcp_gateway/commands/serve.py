"""`mcp-gateway serve`: the HTTP surface with MCP mounted on it, as a process of its own or as several."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.gateway import Gateway
    from shared.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: API_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: API_PORT.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes; more than one needs REDIS_URL. Default: WORKERS.")
    ] = None,
    insecure_no_auth: Annotated[
        bool, typer.Option("--insecure-no-auth", help="Let other machines in without asking who they are. Don't.")
    ] = False,
    fd: Annotated[list[int] | None, typer.Option(hidden=True)] = None,
    tie: Annotated[int | None, typer.Option(hidden=True)] = None,
    quiet: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve REST, the OpenAI-compatible API and MCP (Streamable HTTP and SSE) until Ctrl-C."""
    from mcp_gateway.commands.opening import settings_here

    settings = settings_here(api_host=host, api_port=port, workers=workers if tie is None else 1)
    if settings.workers > 1:
        from http_api.workers import supervise

        command = [sys.executable, "-m", "mcp_gateway", "serve", *_again(host, port, insecure_no_auth=insecure_no_auth)]
        sys.exit(supervise(settings, command, allow_open=insecure_no_auth))
    sys.exit(_serve_one(settings, allow_open=insecure_no_auth, inherited=fd or [], tie=tie, quiet=quiet))


def _serve_one(settings: "Settings", *, allow_open: bool, inherited: list[int], tie: int | None, quiet: bool) -> int:
    from http_api.serve import run
    from http_api.workers import tied
    from mcp_gateway.commands.welcome import welcome
    from mcp_gateway.sidecar import mounted
    from shared.gateway import open_gateway
    from shared.terminal.keeper.mark import marked_as_gateway

    opened: list[Gateway] = []

    @asynccontextmanager
    async def open_one() -> "AsyncIterator[Gateway]":
        async with open_gateway(settings, with_admin=True) as gateway:
            opened.append(gateway)
            yield gateway

    def say_ready(url: str) -> None:
        for line in opened[0].announcements:
            print(line, file=sys.stderr, flush=True)
        if not quiet:
            print(welcome(url, opened[0]), flush=True)
        if tie is not None:
            tied(tie)

    with marked_as_gateway():
        return run(
            settings,
            open_one,
            mounts=[mounted(settings)],
            on_ready=say_ready,
            allow_open=allow_open,
            inherited=inherited,
        )


def _again(host: str | None, port: int | None, *, insecure_no_auth: bool) -> list[str]:
    """The same options for a worker."""
    return [
        *(() if host is None else ("--host", host)),
        *(() if port is None else ("--port", str(port))),
        *(("--insecure-no-auth",) if insecure_no_auth else ()),
    ]
