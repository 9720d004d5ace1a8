"""`mcp-gateway doctor`: looks at everything the gateway stands on, and says what to do."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mcp_gateway.commands import signals
from mcp_gateway.commands.output import AsJson, print_json
from shared.terminal.visible import visible

if TYPE_CHECKING:
    from mcp_gateway.diagnosis.finding import Finding
    from shared.settings import Settings

MARKS = {"ok": ("ok  ", typer.colors.GREEN), "warn": ("warn", typer.colors.YELLOW), "fail": ("FAIL", typer.colors.RED)}


def doctor(as_json: AsJson = False) -> None:
    """Check Python, data, database, Redis, providers, sandbox, port and MCP clients; exit code 1 if anything fails."""
    from mcp_gateway.commands.opening import settings_here

    findings = []
    for finding in _findings(settings_here()):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json({"findings": [finding.model_dump(mode="json") for finding in findings]})
    if any(finding.status == "fail" for finding in findings):
        sys.exit(1)


def _findings(settings: "Settings") -> "Iterator[Finding]":
    from mcp_gateway.diagnosis import hosts, machine, pointers

    looks: list[Callable[[], Finding]] = [
        machine.python,
        lambda: machine.data_directory(settings.data_dir),
        lambda: machine.address(settings.api_host, settings.api_port, settings.auth_mode),
    ]
    for look in looks:
        yield look()
    yield from pointers.look(settings)
    yield from signals.run(_services(settings, machine.gateway_at(settings.api_host, settings.api_port)))
    for host in hosts.hosts(Path.home(), Path.cwd()):
        yield hosts.look(host, settings.api_port)


async def _services(settings: "Settings", running: dict[str, Any]) -> "list[Finding]":
    from mcp_gateway.commands.opening import quiet
    from mcp_gateway.diagnosis import services
    from shared.errors import GatewayError
    from shared.gateway import open_gateway

    try:
        async with open_gateway(quiet(settings, "error")) as gateway:
            return await services.look(gateway, running)
    except GatewayError as error:
        return [services.failed(error)]


def _print(finding: "Finding") -> None:
    mark, colour = MARKS[finding.status]
    typer.secho(mark, fg=colour, nl=False)
    typer.echo(visible(f"  {finding.name}: {finding.text}"))
    if finding.advice:
        typer.echo(f"      → {visible(finding.advice)}")
