"""`mcp-gateway serve`: the HTTP sidecar, with MCP mounted on it; the one place where the two surfaces meet."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.gateway import Gateway


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: API_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. Default: API_PORT.")
    ] = None,
    insecure_no_auth: Annotated[
        bool, typer.Option("--insecure-no-auth", help="Let other machines in without asking who they are. Don't.")
    ] = False,
) -> None:
    """Serve REST, the OpenAI-compatible API and MCP (Streamable HTTP and SSE) until Ctrl-C."""
    from http_api.app import Mounted, hosts_of
    from http_api.serve import run
    from mcp_gateway.commands.opening import settings_here
    from mcp_gateway.commands.welcome import welcome
    from mcp_gateway.transports import HttpTransports
    from shared.gateway import open_gateway
    from shared.settings import comma_separated

    settings = settings_here(api_host=host, api_port=port)
    transports = HttpTransports(
        hosts=hosts_of(settings),
        origins=comma_separated(settings.allowed_origins),
        max_body_bytes=settings.max_chat_body_bytes,
    )
    opened: list[Gateway] = []

    @asynccontextmanager
    async def open_one() -> "AsyncIterator[Gateway]":
        async with open_gateway(settings, with_admin=True) as gateway:
            opened.append(gateway)
            yield gateway

    def say_ready(url: str) -> None:
        for line in opened[0].announcements:
            print(line, file=sys.stderr, flush=True)
        print(welcome(url, opened[0]), flush=True)

    code = run(
        settings,
        open_one,
        mounts=[Mounted(routes=transports.routes, lifespan=transports.lifespan)],
        on_ready=say_ready,
        allow_open=insecure_no_auth,
    )
    sys.exit(code)
